"""python -m tools.reference_docs writes the generated pages of docs/reference."""

from tools.reference_docs import write_pages

if __name__ == "__main__":
    write_pages()
