rule train:
    """Stage 1 chooses epoch and bias on validation; stage 2 trains on training + validation."""
    input:
        manifest="results/manifests/{dataset}.tsv",
        audio=index_of("audio"),
        visual=index_of("visual"),
        audio_shards=shards_of("audio"),
        visual_shards=shards_of("visual"),
        classes=classes_of,
    output:
        model="results/models/{dataset}/{features}/{method}/seed{seed}.pt",
        history="results/models/{dataset}/{features}/{method}/seed{seed}.csv",
    log:
        "logs/train/{dataset}/{features}/{method}/seed{seed}.log",
    benchmark:
        "logs/train/{dataset}/{features}/{method}/seed{seed}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime="4h",
    params:
        kind=lambda wc: PLAN.method(wc.dataset, wc.method).kind,
        options=lambda wc: to_json(PLAN.method(wc.dataset, wc.method).options),
        protocol=to_json(PLAN.protocol),
        audio_id=features_id_of("audio"),
        visual_id=features_id_of("visual"),
        classes_id=classes_id_of,
        run_id=lambda wc: PLAN.run_id(wc.dataset, wc.features, wc.method, int(wc.seed)),
    shell:
        "python -m avzsl --log {log} train {params.kind} --options {params.options:q}"
        " --protocol {params.protocol:q} --seed {wildcards.seed}"
        " --manifest {input.manifest} --audio {input.audio} --audio-id {params.audio_id}"
        " --visual {input.visual} --visual-id {params.visual_id}"
        " --classes {input.classes} --classes-id {params.classes_id}"
        " --run-id {params.run_id} --threads {threads}"
        " --history {output.history} --out {output.model}"


rule evaluate:
    """Score a trained model on the test clips: S, U, HM, ZSL. The test is touched here alone."""
    input:
        manifest="results/manifests/{dataset}.tsv",
        audio=index_of("audio"),
        visual=index_of("visual"),
        audio_shards=shards_of("audio"),
        visual_shards=shards_of("visual"),
        model="results/models/{dataset}/{features}/{method}/seed{seed}.pt",
    output:
        metrics="results/evaluations/{dataset}/{features}/{method}/seed{seed}.json",
        embeddings="results/evaluations/{dataset}/{features}/{method}/seed{seed}.h5",
    log:
        "logs/evaluate/{dataset}/{features}/{method}/seed{seed}.log",
    benchmark:
        "logs/evaluate/{dataset}/{features}/{method}/seed{seed}.tsv"
    conda:
        "../../envs/learn.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime="1h",
    params:
        audio_id=features_id_of("audio"),
        visual_id=features_id_of("visual"),
        run_id=lambda wc: PLAN.run_id(wc.dataset, wc.features, wc.method, int(wc.seed)),
    shell:
        "python -m avzsl --log {log} evaluate {input.model} --run-id {params.run_id}"
        " --name {wildcards.method}"
        " --manifest {input.manifest} --audio {input.audio} --audio-id {params.audio_id}"
        " --visual {input.visual} --visual-id {params.visual_id}"
        " --threads {threads} --out {output.metrics} --embeddings {output.embeddings}"
