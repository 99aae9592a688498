# The list of clips is no input: it would extract all shards when one clip is added, and ancient()
# around the output of a rule would extract none. The id of a shard's members, a parameter, says
# whether the shard is up to date; the job reads the list again and compares.


rule extract_audio:
    """Decode and encode one shard's clips: their sound, or their frames, each by a rule of its own."""
    input:
        demo_clips,
        source_of,
    output:
        "results/features/{dataset}/{encoder}/{shard}.h5",
    log:
        "logs/extract/{dataset}/{encoder}/{shard}.log",
    benchmark:
        "logs/extract/{dataset}/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=either(PLAN.encoders_of("audio")),
    conda:
        "../../envs/extract.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=lambda wc, attempt: PLAN.memory_mb(wc.encoder, 4_000) * attempt,
        runtime="2h",
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
        " --threads {threads}"
        " --out {output}"


use rule extract_audio as extract_visual with:
    # The same command; an encoder of pictures needs more memory and time.
    wildcard_constraints:
        encoder=either(PLAN.encoders_of("visual")),
    resources:
        gpu=GPU,
        mem_mb=lambda wc, attempt: PLAN.memory_mb(wc.encoder, 6_000) * attempt,
        runtime="4h",


rule index:
    """Join the shards of one encoder; too many failures, or another encoder's shard, end here."""
    input:
        lambda wc: shard_files(wc.dataset, wc.encoder),
    output:
        "results/features/{dataset}/{encoder}/index.h5",
    log:
        "logs/index/{dataset}/{encoder}.log",
    benchmark:
        "logs/index/{dataset}/{encoder}.tsv"
    conda:
        "../../envs/extract.yaml"
    threads: 1
    resources:
        mem_mb=2_000,
        runtime="10m",
    params:
        fingerprint=lambda wc: PLAN.fingerprint_for(wc.dataset, wc.encoder),
        features_id=lambda wc: PLAN.features_id(wc.dataset, wc.encoder),
        members=lambda wc: to_json(PLAN.shards(wc.dataset)),
    shell:
        "python -m avzsl --log {log} index --fingerprint {params.fingerprint}"
        " --members {params.members:q} --features-id {params.features_id}"
        " --out {output} -- {input:q}"
