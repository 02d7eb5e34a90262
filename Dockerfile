# starpoly as a container: for the NeurIPS 2022 cell segmentation challenge, and for any folder of images.
# docs/container.md says how it is built and run; scripts/replay_dockerfile.py follows these steps without Docker.
FROM python:3.11-slim-bookworm

# The caches are filled below and hold for any user on any host: kernels are compiled for a generic processor.
# HOME is a folder that every user may write.
ENV PATH=/opt/starpoly/bin:$PATH \
    HOME=/tmp \
    STARPOLY_CACHE=/opt/starpoly/cache/starpoly \
    NUMBA_CACHE_DIR=/opt/starpoly/cache/numba \
    NUMBA_CPU_NAME=generic \
    KERAS_HOME=/opt/starpoly/cache/keras \
    MPLCONFIGDIR=/opt/starpoly/cache/matplotlib \
    TF_FORCE_GPU_ALLOW_GROWTH=true \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# What starpoly needs changes seldom: layers of its own, made anew only when a pinned version changes.
# The base image comes without bytecode of the standard library, and nobody could write it later.
COPY docker/requirements.txt docker/requirements-cuda.txt docker/requirements-sbom.txt /opt/requirements/
RUN python3 -m compileall -q -x '(site|dist)-packages|/tests?/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && python3 -m venv /opt/starpoly \
    && pip install --no-cache-dir --no-deps -r /opt/requirements/requirements.txt

# cpu leaves CUDA out: 3 GB instead of 7, for machines without a GPU
ARG DEVICE=gpu
RUN if [ "$DEVICE" = gpu ]; then pip install --no-cache-dir --no-deps -r /opt/requirements/requirements-cuda.txt; fi

# name of a folder in models/; empty: starpoly's default
ARG MODEL=
ENV STARPOLY_DEVICE=$DEVICE STARPOLY_MODEL=$MODEL
COPY . /opt/source/
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-index /opt/source \
    && sh /opt/source/docker/warm-up.sh \
    && install /opt/source/docker/entrypoint.sh /opt/starpoly/bin/entrypoint \
    && install -D /opt/source/predict.sh /workspace/predict.sh \
    && install -d -m 0777 /workspace/outputs /workspace/inputs \
    && rm -r /opt/source

# the bill of materials of what is installed, made in an environment that does not stay
RUN python3 -m venv /opt/sbom \
    && /opt/sbom/bin/python -m pip install --no-cache-dir --no-deps -r /opt/requirements/requirements-sbom.txt \
    && /opt/sbom/bin/cyclonedx-py environment --output-reproducible --output-format JSON \
        --output-file /opt/starpoly/sbom.cdx.json /opt/starpoly \
    && rm -r /opt/sbom

WORKDIR /workspace

# No USER: whom the outputs folder of the host belongs to is not known before it is there. The entry point becomes that
# user, who alone may write there, and gives up every privilege before anything else is started.
ENTRYPOINT ["entrypoint"]
CMD ["sh", "predict.sh"]
