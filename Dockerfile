# The server over HTTP, for many users: docs/http.md. Everything it needs is given by variables and options.
FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
# The versions that the checks ran with, without those that only the checks need.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups']['pinned'], sep='\n')" > constraints.txt \
    && python -m venv /venv
COPY deeporigin_mcp ./deeporigin_mcp
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .

FROM python:3.13-slim
COPY --from=build /venv /venv
# Where the ledger of approvals is kept; mount a volume there to keep it for longer than the container.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 XDG_STATE_HOME=/var/lib
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/deeporigin-mcp
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8321
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8321/healthz', timeout=3)"]
ENTRYPOINT ["deeporigin-mcp"]
# It does not start before --allowed-host (or DEEPORIGIN_MCP_ALLOWED_HOSTS) says under which name it is called.
CMD ["serve", "--http", "--host", "0.0.0.0"]
