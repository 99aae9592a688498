def demo_clips(wildcards):
    """The demo's files are made here; other datasets are on disk already."""
    made = PLAN.config.datasets[wildcards.dataset].kind == "demo"
    return f"resources/{wildcards.dataset}/clips.tsv" if made else []


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
        options=lambda wc: options_of("datasets", wc.dataset),
        manifest_id=lambda wc: PLAN.manifest_id(wc.dataset),
    shell:
        "python -m avzsl --log {log} demo {wildcards.dataset} --options {params.options:q}"
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
        kind=lambda wc: PLAN.config.datasets[wc.dataset].kind,
        options=lambda wc: options_of("datasets", wc.dataset),
        manifest_id=lambda wc: PLAN.manifest_id(wc.dataset),
    shell:
        "python -m avzsl --log {log} manifest {wildcards.dataset} --kind {params.kind}"
        " --options {params.options:q} --manifest-id {params.manifest_id} --out {output}"
