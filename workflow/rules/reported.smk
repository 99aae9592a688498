"""What stands on the report page. No rules.

Result tables are made for it. A study may take days: one stands on the page if its table is there,
and is then made anew like all else when it is out of date.
"""

import types


def pairs_of(names):
    """Dataset and feature set of each name, as rules have them in their wildcards."""
    parts = [name.partition("_") for name in names]
    return [types.SimpleNamespace(dataset=part[0], features=part[2]) for part in parts]


def tables_reported():
    return pairs_of(PLAN.config.tables)


def studies_there():
    """Study and table of each study whose table has been made."""
    return [
        place
        for place in STUDIES.wanted()
        if Path(study_file(*place, "tables", ".csv")).is_file()
    ]


def study_files_there(suffix):
    """Files of these studies; figures and tables of classes only if they have been made, too."""
    return [
        path for path in study_files() if path.endswith(suffix) and Path(path).is_file()
    ]


def names_reported():
    """Tables whose clips the page speaks of: result tables, and what studies stand on."""
    rows = [row for place in studies_there() for row in planned(STUDIES.rows, *place)]
    return each_once(
        [*PLAN.config.tables, *(f"{row.dataset}_{row.features}" for row in rows)]
    )


def each_once(paths):
    return list(dict.fromkeys(paths))


def figures_reported(_):
    """The pictures that the rule of figures makes for each table."""
    pictures = [name for name in rules.figures.output if str(name).endswith(".png")]
    return [
        str(name).format(dataset=table.dataset, features=table.features)
        for table in tables_reported()
        for name in pictures
    ]


def manifests_reported(_):
    return each_once(
        f"results/manifests/{pair.dataset}.tsv" for pair in pairs_of(names_reported())
    )


def indexes_reported(_):
    return each_once(
        index_of(modality)(pair)
        for pair in pairs_of(names_reported())
        for modality in ("audio", "visual")
    )


def classes_reported(_):
    """The class embeddings of every method of every table."""
    return each_once(
        classes_of(types.SimpleNamespace(**vars(table), method=method))
        for table in tables_reported()
        for method in METHODS
    )


def evaluations_reported(_):
    return [
        path
        for table in tables_reported()
        for path in runs(
            table, "results/evaluations/{dataset}/{features}/{method}/seed{seed}.json"
        )
    ]


def table_ids_reported(_):
    """Table or study -> id; a table that was made from something else is refused."""
    results = {
        f"{table.dataset}_{table.features}": planned(
            PLAN.table_id, table.dataset, table.features
        )
        for table in tables_reported()
    }
    studies = {
        f"{table}/{study}" if table else study: planned(STUDIES.table_id, study, table)
        for study, table in studies_there()
    }
    return to_json({**results, **studies})


def captions_reported(_):
    """Name of a figure or study -> what it shows, as in `snakemake --report`."""
    folder = Path(workflow.basedir) / "workflow" / "report"
    texts = {
        path.stem: " ".join(path.read_text(encoding="utf-8").split())
        for path in sorted(folder.glob("*.rst"))
    }
    titles = {name: study.title for name, study in PLAN.config.studies.items()}
    return to_json({**texts, **titles})
