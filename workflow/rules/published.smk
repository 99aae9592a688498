# Published features take the place of extraction: the archive's files, a class and stage each, become
# one file in which clips are found by id, and each shard takes its own from there. The converted
# file is as large as the archive and is deleted when all shards have been made.


rule convert:
    """Turn a published archive of features into one file; it is read a class at a time."""
    input:
        dataset_is_there,
        source_of,
    output:
        temp("results/converted/{dataset}/{encoder}.h5"),
    log:
        "logs/convert/{dataset}/{encoder}.log",
    benchmark:
        "logs/convert/{dataset}/{encoder}.tsv"
    wildcard_constraints:
        encoder=either(PLAN.published_encoders),
    conda:
        "../../envs/extract.yaml"
    threads: 1
    resources:
        mem_mb=4_000,
        runtime="4h",
    params:
        kind=lambda wc: PLAN.config.encoders[wc.encoder].kind,
        options=lambda wc: options_of("encoders", wc.encoder),
        fingerprint=lambda wc: PLAN.fingerprint_for(wc.dataset, wc.encoder),
    shell:
        "python -m avzsl --log {log} convert {wildcards.dataset} --kind {params.kind}"
        " --options {params.options:q} --fingerprint {params.fingerprint} --out {output}"


rule extract_published:
    """Take one shard's clips from a converted archive; nothing is decoded."""
    input:
        converted="results/converted/{dataset}/{encoder}.h5",
    output:
        "results/features/{dataset}/{encoder}/{shard}.h5",
    log:
        "logs/extract/{dataset}/{encoder}/{shard}.log",
    benchmark:
        "logs/extract/{dataset}/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=either(PLAN.published_encoders),
    conda:
        "../../envs/extract.yaml"
    threads: 1
    resources:
        mem_mb=2_000,
        runtime="30m",
    params:
        kind=lambda wc: PLAN.config.encoders[wc.encoder].kind,
        options=lambda wc: options_of("encoders", wc.encoder),
        fingerprint=lambda wc: PLAN.fingerprint_for(wc.dataset, wc.encoder),
        members_id=lambda wc: PLAN.shards(wc.dataset)[wc.shard],
        buckets=lambda wc: PLAN.config.datasets[wc.dataset].options["buckets"],
    shell:
        "python -m avzsl --log {log} extract {wildcards.dataset} --shard {wildcards.shard}"
        " --buckets {params.buckets} --members-id {params.members_id}"
        " --encoder {wildcards.encoder} --kind {params.kind}"
        " --options {params.options:q} --fingerprint {params.fingerprint}"
        " --converted {input.converted}"
        " --out {output}"
