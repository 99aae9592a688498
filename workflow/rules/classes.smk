rule embed_classes:
    """One vector per class name by a text encoder."""
    input:
        texts_of,
    output:
        "results/classes/{dataset}/{encoder}/original.h5",
    log:
        "logs/embed_classes/{dataset}/{encoder}.log",
    benchmark:
        "logs/embed_classes/{dataset}/{encoder}.tsv"
    wildcard_constraints:
        encoder=either(PLAN.encoders_of("text")),
    conda:
        "../../envs/extract.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=lambda wc: PLAN.memory_mb(wc.encoder, 4_000),
        runtime="30m",
    params:
        kind=lambda wc: PLAN.config.encoders[wc.encoder].kind,
        options=lambda wc: options_of("encoders", wc.encoder),
        fingerprint=lambda wc: PLAN.fingerprint(wc.encoder),
        classes_id=lambda wc: PLAN.classes_id(wc.dataset, wc.encoder, "original"),
    shell:
        "python -m avzsl --log {log} classes embed {wildcards.dataset} --kind {params.kind}"
        " --options {params.options:q} --fingerprint {params.fingerprint}"
        " --classes-id {params.classes_id} --out {output}"


rule optimise_classes:
    """Move the class embeddings apart while keeping their order (EZ-AVGZL, Eq. 1-4)."""
    input:
        "results/classes/{dataset}/{encoder}/original.h5",
    output:
        embeddings="results/classes/{dataset}/{encoder}/optimised{settings}.h5",
        neighbours="results/classes/{dataset}/{encoder}/neighbours{settings}.csv",
        summary="results/classes/{dataset}/{encoder}/optimised{settings}.json",
    log:
        "logs/optimise_classes/{dataset}/{encoder}{settings}.log",
    benchmark:
        "logs/optimise_classes/{dataset}/{encoder}{settings}.tsv"
    wildcard_constraints:
        encoder=either(PLAN.encoders_of("text")),
        settings=r"(@[0-9a-f]{8})?",  # those of a study; empty: the section `classes`
    conda:
        "../../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=4_000,
        runtime="4h",
    params:
        options=lambda wc: to_json(PLAN.class_options(f"optimised{wc.settings}")),
        original_id=lambda wc: PLAN.classes_id(wc.dataset, wc.encoder, "original"),
        classes_id=lambda wc: PLAN.classes_id(
            wc.dataset, wc.encoder, f"optimised{wc.settings}"
        ),
    shell:
        "python -m avzsl --log {log} classes optimise {input} --options {params.options:q}"
        " --original-id {params.original_id} --classes-id {params.classes_id}"
        " --threads {threads} --neighbours {output.neighbours} --summary {output.summary}"
        " --out {output.embeddings}"
