rule demo:
    """Generate the demo dataset: real encoded videos with sound; existing ones are kept."""
    output:
        "resources/{dataset}/clips.tsv",
    log:
        "logs/demo/{dataset}.log",
    benchmark:
        "logs/demo/{dataset}.tsv"
    conda:
        "../../envs/extract.yaml"
    threads: 2
    resources:
        mem_mb=1_000,
        runtime="30m",
    params:
        clips_id=lambda wc: PLAN.clips_id(wc.dataset),
    shell:
        "python -m avzsl --log {log} demo {wildcards.dataset} --clips-id {params.clips_id}"
        " --threads {threads} --out {output}"


rule manifest:
    """List the clips: file, segment, class, and what each is used for."""
    input:
        demo_clips,
    output:
        "results/manifests/{dataset}.tsv",
    log:
        "logs/manifest/{dataset}.log",
    benchmark:
        "logs/manifest/{dataset}.tsv"
    conda:
        "../../envs/extract.yaml"
    threads: 1
    resources:
        mem_mb=1_000,
        runtime="10m",
    params:
        manifest_id=lambda wc: PLAN.manifest_id(wc.dataset),
    shell:
        "python -m avzsl --log {log} manifest {wildcards.dataset}"
        " --manifest-id {params.manifest_id} --out {output}"
