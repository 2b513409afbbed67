import io
import pathlib

import pytest

from tasks.data.conll import MISSING_TOKEN, read_conll, write_conll

ADA = (["Ada", "lives"], ["B-person", "O"])
ROME = (["Rome"], ["B-location"])


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "file.conll"
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(data)
        return path

    return write


class TestRead:
    def test_tabs(self, write):
        path = write("Ada\tB-person\nlives\tO\n\nRome\tB-location\n\n")
        assert read_conll(path) == [ADA, ROME]

    def test_spaces(self, write):
        path = write("Ada NNP  I-NP B-person\nlives VBZ I-VP O\n")
        assert read_conll(path) == [ADA]

    def test_no_line_end_at_the_end(self, write):
        assert read_conll(write("Rome\tB-location")) == [ROME]

    def test_windows_line_ends_and_byte_order_mark(self, write):
        path = write("\ufeffAda\tB-person\r\nlives\tO\r\n\r\nRome\tB-location\r\n")
        assert read_conll(path) == [ADA, ROME]

    @pytest.mark.parametrize("blank", ["\n\n\n", " \n", "\t\n", " \t \r\n"])
    def test_blank_lines_part(self, write, blank):
        path = write(
            f"{blank}Ada\tB-person\nlives\tO\n{blank}Rome\tB-location\n{blank}"
        )
        assert read_conll(path) == [ADA, ROME]

    @pytest.mark.parametrize("blank", ["\n", ""])
    def test_document_starts_are_dropped(self, write, blank):
        path = write(f"-DOCSTART- -X- O O\n{blank}Rome NNP I-NP B-location\n")
        assert read_conll(path) == [ROME]

    def test_columns(self, write):
        path = write("1 Ada B-person NNP\n2 lives O VBZ\n")
        assert read_conll(path, tag_column=2, token_column=1) == [ADA]
        assert read_conll(path, tag_column=-2, token_column=-3) == [ADA]

    @pytest.mark.parametrize(
        "token", ["♥", "👨‍👩‍👧", "a\u2028b", "a\x85b", "#", "»\xa0x"]
    )
    def test_strange_tokens_in_a_tab_file(self, write, token):
        assert read_conll(write(f"{token}\tO\nb\tO\n")) == [([token, "b"], ["O", "O"])]

    def test_a_token_with_a_space_in_a_tab_file(self, write):
        assert read_conll(write("u R\tO\n😎 \tO\n")) == [(["u R", "😎"], ["O", "O"])]

    def test_a_missing_token_holds_its_place(self, write):
        path = write("\tO\nRome\tB-location\n")
        assert read_conll(path) == [([MISSING_TOKEN, "Rome"], ["O", "B-location"])]

    def test_open_file(self):
        assert read_conll(io.StringIO("\ufeffRome\tB-location\r\n")) == [ROME]

    def test_path_as_string(self, write):
        assert read_conll(str(write("Rome\tB-location\n"))) == [ROME]

    def test_empty(self, write):
        assert read_conll(write("")) == []

    def test_error_names_file_and_line(self, write):
        with pytest.raises(ValueError, match=r"file\.conll, line 3: .* got 'lives'"):
            read_conll(write("Ada\tO\n\nlives\n"))

    def test_error_for_a_missing_column(self, write):
        with pytest.raises(ValueError, match="line 1: .*tag_column=3 .* its 2 columns"):
            read_conll(write("Ada\tO\n"), tag_column=3)

    def test_error_for_an_empty_tag(self, write):
        with pytest.raises(ValueError, match="line 2: the tag is empty"):
            read_conll(write("Ada\tO\nlives\t\n"))

    def test_error_for_other_encodings(self, write):
        with pytest.raises(ValueError, match=r"file\.conll: not UTF-8"):
            read_conll(write("Zürich\tO\n".encode("latin-1")))

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read_conll(tmp_path / "nowhere")


class TestWrite:
    def test_reads_back(self, tmp_path):
        path = tmp_path / "x"
        write_conll(path, [ADA, ROME, (["u R", "♥"], ["O", "O"])])
        assert read_conll(path) == [ADA, ROME, (["u R", "♥"], ["O", "O"])]

    def test_layout(self, tmp_path):
        path = pathlib.Path(tmp_path, "x")
        write_conll(path, [ADA, ROME])
        expected = b"Ada\tB-person\nlives\tO\n\nRome\tB-location\n\n"
        assert path.read_bytes() == expected

    def test_refuses_different_numbers(self, tmp_path):
        with pytest.raises(ValueError, match="Sentence 1 has 1 tokens and 2 tags"):
            write_conll(tmp_path / "x", [ADA, (["a"], ["O", "O"])])

    @pytest.mark.parametrize("token", ["", " ", "a\tb", "a\nb", "a\rb", " a"])
    def test_refuses_what_would_not_read_back(self, tmp_path, token):
        with pytest.raises(ValueError, match="cannot be a column"):
            write_conll(tmp_path / "x", [([token], ["O"])])
