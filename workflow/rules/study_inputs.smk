"""What the rules of studies share. No rules."""

from functools import partial

from snakemake.logging import logger

from avzsl.report.tables import id_file
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


def study_histories(wildcards):
    return [path for row in rows_of(wildcards) for path in row.histories]


def study_embeddings(wildcards):
    return [row.embeddings for row in rows_of(wildcards)]


def study_class_embeddings(wildcards):
    """Original class embeddings, to find out which classes are alike."""
    row = rows_of(wildcards)[0]
    return f"results/classes/{row.dataset}/{row.text}/original.h5"


def study_class_embeddings_id(wildcards):
    row = rows_of(wildcards)[0]
    return planned(PLAN.classes_id, row.dataset, row.text, "original")


def study_labels(wildcards):
    rows = rows_of(wildcards)
    labels = planned(STUDIES.labels, wildcards.study, table_of(wildcards))
    return to_json(
        [label for row, label in zip(rows, labels, strict=True) for _ in row.seeds]
    )


def spec_of(wildcards):
    return to_json(planned(STUDIES.spec, wildcards.study, table_of(wildcards)))


def classes_spec_of(wildcards):
    place = wildcards.study, table_of(wildcards)
    return to_json(planned(partial(STUDIES.spec, of_runs=False), *place))


def study_id(wildcards):
    return planned(STUDIES.table_id, wildcards.study, table_of(wildcards))


def study_classes_id(wildcards):
    return planned(STUDIES.classes_table_id, wildcards.study, table_of(wildcards))


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
        if not id_file(path).is_file():
            continue  # it is not ours
        if study not in STUDIES.names:
            set_aside_outdated(path, "")
            continue
        of_classes = path.name.endswith(".classes.csv")
        plan = STUDIES.classes_table_id if of_classes else STUDIES.table_id
        # What cannot be made anew now, for lack of weights or clips, is not of this run.
        with contextlib.suppress(ValueError, LookupError, OSError):
            set_aside_outdated(path, plan(study, place))


def study_files():
    """All tables and figures of all studies that `snakemake tables` makes."""
    made = []
    for study, table in STUDIES.wanted():
        made.append(study_file(study, table, "tables", ".csv"))
        if study in STUDIES.showing("neighbours"):
            continue
        if STUDIES.optimises(study):
            made.append(study_file(study, table, "tables", ".classes.csv"))
        for figure in STUDIES.figures(study):
            suffix = ".png" if figure == "bars" else f".{figure}.png"
            made.append(study_file(study, table, "figures/studies", suffix))
    return made


def wanted_study_files(wildcards):
    """The same; says which studies are left out."""
    done = {study for study, _ in STUDIES.wanted()}
    for study in STUDIES.names:
        if study not in done:
            lacking = ", ".join(STUDIES.lacks(study))
            logger.warning(f"Left out: study {study}, which needs {lacking}.")
    return study_files()
