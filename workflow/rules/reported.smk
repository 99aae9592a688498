"""What stands on the report page. No rules.

Result tables are made for it. A study may take days: one stands on the page if its table is there,
wherever it was carried out, and is then made anew like all else when it is out of date.
"""

import functools
import itertools
import types

from snakemake.logging import logger


def pairs_of(names):
    """Dataset and feature set of each name, as rules have them in their wildcards."""
    parts = [name.partition("_") for name in names]
    return [types.SimpleNamespace(dataset=part[0], features=part[2]) for part in parts]


def tables_reported():
    return pairs_of(PLAN.config.tables)


@functools.cache
def study_ids():
    """(study, where, suffix) of every table of a study that is there -> id that it must have.

    A study that cannot be planned, for lack of its dataset, clips or weights, is left out with a warning.
    """
    places = [None, *(f"{dataset}_{name}" for dataset in DATASETS for name in FEATURES)]
    kinds = {".csv": STUDIES.table_id, ".classes.csv": STUDIES.classes_table_id}
    found = {}
    for study, table in itertools.product(STUDIES.names, places):
        for suffix, id_of in kinds.items():
            path = study_file(study, table, "tables", suffix)
            if Path(path).is_file():
                try:
                    found[study, table, suffix] = id_of(study, table)
                except (ValueError, LookupError, OSError) as error:
                    logger.warning(f"Not on the report page: {path}. {error}")
    return found


def study_tables_there(_):
    return [
        study_file(study, table, "tables", suffix)
        for study, table, suffix in study_ids()
    ]


def studies_scored():
    """Study and place of each table of accuracies that is there."""
    return [
        (study, table)
        for study, table, suffix in study_ids()
        if suffix == ".csv" and study in STUDIES.showing("accuracy")
    ]


def study_figures_there(_):
    """Figures that have been made, of studies whose table is there: alone they would train it."""
    suffixes = {"bars": ".png"}
    paths = [
        study_file(study, table, "figures/studies", suffixes.get(name, f".{name}.png"))
        for study, table in studies_scored()
        for name in STUDIES.figures(study)
    ]
    return [path for path in paths if Path(path).is_file()]


def rows_scored():
    return [row for place in studies_scored() for row in planned(STUDIES.rows, *place)]


def rows_optimised():
    """Rows with optimised class embeddings, of all tables of studies that are there."""
    places = each_once((study, table) for study, table, _ in study_ids())
    rows = [row for place in places for row in planned(STUDIES.rows, *place)]
    return [row for row in rows if row.optimises]


def study_runs_reported(_):
    """What tables of studies are made from, and so is there where they are."""
    return each_once(path for row in rows_scored() for path in row.evaluations)


def study_summaries_reported(_):
    return each_once(row.summary for row in rows_optimised())


def studies_reported(_):
    """Names of the studies, as the page calls them."""
    return each_once(
        f"{table}/{study}" if table else study for study, table, _ in study_ids()
    )


def names_reported():
    """Tables whose clips the page speaks of: result tables, and what studies stand on."""
    return each_once(
        [
            *PLAN.config.tables,
            *(f"{row.dataset}_{row.features}" for row in rows_scored()),
        ]
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
    """Class embeddings of every method of every table, and of rows of studies without a summary."""
    tables = [
        types.SimpleNamespace(**vars(table), method=method)
        for table in tables_reported()
        for method in METHODS
    ]
    rows = [
        types.SimpleNamespace(
            dataset=row.dataset, features=row.features, method=row.run
        )
        for row in rows_scored()
        if not row.optimises
    ]
    return each_once(map(classes_of, [*tables, *rows]))


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
        f"{table}/{study}{kind}" if table else f"{study}{kind}": table_id
        for (study, table, suffix), table_id in study_ids().items()
        for kind in [suffix.removesuffix(".csv")]
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
