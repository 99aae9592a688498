# Studies: tables of variants. Their runs are made by the rules of all other runs.


localrules:
    tables,
    study,
    study_on,
    study_classes,
    study_classes_on,
    study_neighbours,
    study_neighbours_on,


rule tables:
    """Every table and figure of every study, where `studies_on` says."""
    input:
        wanted_study_files,


rule study:
    """A row a variant: mean and standard deviation over seeds, the published row, the difference."""
    input:
        evaluations=study_evaluations,
        summaries=study_summaries,
    output:
        csv=report(
            "results/tables/{study}.csv",
            caption="../report/study.rst",
            category="studies",
        ),
        markdown="results/tables/{study}.md",
        latex="results/tables/{study}.tex",
    log:
        "logs/study/{study}.log",
    benchmark:
        "logs/study/{study}.tsv"
    wildcard_constraints:
        study=ACCURACY,
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime="10m",
    params:
        spec=spec_of,
        table_id=study_id,
    shell:
        "python -m avzsl --log {log} study table --spec {params.spec:q}"
        " --table-id {params.table_id} --out {output.csv} -- {input.evaluations:q}"


use rule study as study_on with:
    # Carried out on another dataset and feature set than the study says.
    output:
        csv="results/tables/{dataset}_{features}/{study}.csv",
        markdown="results/tables/{dataset}_{features}/{study}.md",
        latex="results/tables/{dataset}_{features}/{study}.tex",
    log:
        "logs/study/{dataset}_{features}/{study}.log",
    benchmark:
        "logs/study/{dataset}_{features}/{study}.tsv"


rule study_classes:
    """What class-embedding optimisation did in each row; needs no features."""
    input:
        study_summaries,
    output:
        csv="results/tables/{study}.classes.csv",
        markdown="results/tables/{study}.classes.md",
        latex="results/tables/{study}.classes.tex",
    log:
        "logs/study_classes/{study}.log",
    benchmark:
        "logs/study_classes/{study}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime="10m",
    params:
        spec=classes_spec_of,
        table_id=study_classes_id,
    shell:
        "python -m avzsl --log {log} study classes --spec {params.spec:q}"
        " --table-id {params.table_id} --out {output.csv}"


use rule study_classes as study_classes_on with:
    output:
        csv="results/tables/{dataset}_{features}/{study}.classes.csv",
        markdown="results/tables/{dataset}_{features}/{study}.classes.md",
        latex="results/tables/{dataset}_{features}/{study}.classes.tex",
    log:
        "logs/study_classes/{dataset}_{features}/{study}.log",
    benchmark:
        "logs/study_classes/{dataset}_{features}/{study}.tsv"


rule study_neighbours:
    """The nearest class of each class before and after optimisation; needs no features."""
    input:
        tables=study_neighbour_tables,
        summaries=study_summaries,
    output:
        csv="results/tables/{study}.csv",
        markdown="results/tables/{study}.md",
        latex="results/tables/{study}.tex",
    log:
        "logs/study_neighbours/{study}.log",
    benchmark:
        "logs/study_neighbours/{study}.tsv"
    wildcard_constraints:
        study=NEIGHBOURS,
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime="10m",
    params:
        spec=classes_spec_of,
        table_id=study_id,
    shell:
        "python -m avzsl --log {log} study neighbours --spec {params.spec:q}"
        " --table-id {params.table_id} --out {output.csv} -- {input.tables:q}"


use rule study_neighbours as study_neighbours_on with:
    output:
        csv="results/tables/{dataset}_{features}/{study}.csv",
        markdown="results/tables/{dataset}_{features}/{study}.md",
        latex="results/tables/{dataset}_{features}/{study}.tex",
    log:
        "logs/study_neighbours/{dataset}_{features}/{study}.log",
    benchmark:
        "logs/study_neighbours/{dataset}_{features}/{study}.tsv"


rule study_bars:
    """Harmonic means of a study's rows beside the published ones (EZ-AVGZL, Figure 1)."""
    input:
        "results/tables/{place}.csv",
    output:
        png=report(
            "results/figures/studies/{place}.png",
            caption="../report/study_bars.rst",
            category="studies",
        ),
        pdf="results/figures/studies/{place}.pdf",
    log:
        "logs/study_bars/{place}.log",
    benchmark:
        "logs/study_bars/{place}.tsv"
    wildcard_constraints:
        place=PLACE,
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime="10m",
    shell:
        "python -m avzsl --log {log} study bars --out {output.png} -- {input:q}"


rule study_sweep:
    """The effect of alpha and margin (EZ-AVGZL, Table 9)."""
    input:
        accuracies="results/tables/{place}.csv",
        classes="results/tables/{place}.classes.csv",
    output:
        png=report(
            "results/figures/studies/{place}.sweep.png",
            caption="../report/study_sweep.rst",
            category="studies",
        ),
        pdf="results/figures/studies/{place}.sweep.pdf",
    log:
        "logs/study_sweep/{place}.log",
    benchmark:
        "logs/study_sweep/{place}.tsv"
    wildcard_constraints:
        place=PLACE,
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime="10m",
    shell:
        "python -m avzsl --log {log} study sweep --classes {input.classes:q}"
        " --out {output.png} -- {input.accuracies:q}"


rule study_figure:
    """Runs side by side, a panel a row, such as Figure 3 of EZ-AVGZL and Figure 4 of KDA."""
    input:
        evaluations=study_evaluations,
        histories=study_histories,
        embeddings=study_embeddings,
        classes=study_class_embeddings,
    output:
        png=report(
            "results/figures/studies/{study}.{figure}.png",
            caption="../report/{figure}.rst",
            category="studies",
        ),
        pdf="results/figures/studies/{study}.{figure}.pdf",
    log:
        "logs/study_figure/{study}.{figure}.log",
    benchmark:
        "logs/study_figure/{study}.{figure}.tsv"
    wildcard_constraints:
        study=ACCURACY,
        figure=either(RUN_FIGURES),
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=4_000,
        runtime="30m",
    params:
        kind=lambda wc: RUN_FIGURES[wc.figure],
        labels=study_labels,
        run_ids=study_run_ids,
        classes_id=study_class_embeddings_id,
    shell:
        "python -m avzsl --log {log} figures {params.kind} --out {output.png}"
        " --evaluations {input.evaluations:q} --run-ids {params.run_ids:q}"
        " --labels {params.labels:q}"
        " --histories {input.histories:q} --embeddings {input.embeddings:q}"
        " --classes {input.classes} --classes-id {params.classes_id}"


use rule study_figure as study_figure_on with:
    output:
        png="results/figures/studies/{dataset}_{features}/{study}.{figure}.png",
        pdf="results/figures/studies/{dataset}_{features}/{study}.{figure}.pdf",
    log:
        "logs/study_figure/{dataset}_{features}/{study}.{figure}.log",
    benchmark:
        "logs/study_figure/{dataset}_{features}/{study}.{figure}.tsv"
