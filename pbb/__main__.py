import sys

try:
    from pbb.cli import main
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] == "pbb":
        raise
    raise SystemExit(
        f"error: {sys.executable} has no package {missing.name!r}; `make setup`, then .venv/bin/python -m pbb"
    ) from None

if __name__ == "__main__":
    raise SystemExit(main())
