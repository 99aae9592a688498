"""What the rules of studies share. No rules."""

from avzsl.study_plan import StudyPlan

STUDIES = StudyPlan(PLAN)
ACCURACY = either(STUDIES.showing("accuracy"))
NEIGHBOURS = either(STUDIES.showing("neighbours"))
# A study where it says, or {dataset}_{features}/study.
PLACE = f"(({either(DATASETS)})_({either(FEATURES)})/)?({ACCURACY})"


def table_of(wildcards):
    """Where a study is carried out; None where it says."""
    place = dict(wildcards.items())
    return f"{place['dataset']}_{place['features']}" if "dataset" in place else None


def rows_of(wildcards):
    return planned(STUDIES.rows, wildcards.study, table_of(wildcards))


def study_evaluations(wildcards):
    return [path for row in rows_of(wildcards) for path in row.evaluations]


def study_summaries(wildcards):
    return sorted({row.summary for row in rows_of(wildcards) if row.optimises})


def study_neighbour_tables(wildcards):
    return [row.neighbours for row in rows_of(wildcards) if row.optimises]


def study_class_embeddings(wildcards):
    """Original class embeddings, to find out which classes are alike."""
    row = rows_of(wildcards)[0]
    return [f"results/classes/{row.dataset}/{row.text}/original.h5"]


def study_labels(wildcards):
    return to_json([row.label for row in rows_of(wildcards) for _ in row.seeds])


def spec_of(wildcards):
    return to_json(planned(STUDIES.spec, wildcards.study, table_of(wildcards)))


def study_id(wildcards):
    return planned(STUDIES.table_id, wildcards.study, table_of(wildcards))


def study_run_ids(wildcards):
    return to_json(planned(STUDIES.run_ids, wildcards.study, table_of(wildcards)))


def study_file(study, table, folder, suffix):
    """A file of a study where it says, or where it is carried out."""
    place = f"{table}/" if table else ""
    return f"results/{folder}/{place}{study}{suffix}"


def set_aside_outdated_studies():
    """A study's table of another configuration must not stand as current if this run fails."""
    for path in Path("results/tables").glob("**/*.csv"):
        place = path.parent.name if path.parent.name != "tables" else None
        study = path.name.removesuffix(".csv").removesuffix(".classes")
        table_id = ""
        # A study that is gone, or cannot be planned any more, has no current table.
        with contextlib.suppress(ValueError, LookupError, OSError):
            table_id = STUDIES.table_id(study, place)
        set_aside_outdated(path, table_id)


def study_files(wildcards=None):
    """All tables and figures of all studies that `snakemake tables` makes."""
    suffix = {"bars": ".png", "sweep": ".sweep.png", "confusion": ".confusion.png"}
    made = []
    for study, table in STUDIES.wanted():
        made.append(study_file(study, table, "tables", ".csv"))
        if study in STUDIES.showing("neighbours"):
            continue
        if STUDIES.optimises(study):
            made.append(study_file(study, table, "tables", ".classes.csv"))
        for figure in STUDIES.figures(study):
            made.append(study_file(study, table, "figures/studies", suffix[figure]))
    return made
