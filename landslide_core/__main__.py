"""`python -m landslide_core` is the `landslide` command."""

from landslide_core.cli import main

if __name__ == "__main__":
    main()
