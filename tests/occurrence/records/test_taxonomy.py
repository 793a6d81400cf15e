import pytest

from quadrat.errors import DataError, UnknownNameError
from quadrat.occurrence.records.taxonomy import Species, Vocabulary, make_vocabulary, read_taxonomy

TAXONOMY = """species_code,sci_name,com_name,class_name
barswa,Hirundo rustica,Barn Swallow,aves
comnoc1,Nyctalus noctula,"Noctule, Common",mammalia
noname,,,
"""


@pytest.fixture
def taxonomy(tmp_path):
    path = tmp_path / "taxonomy.csv"
    path.write_text(TAXONOMY)
    return read_taxonomy(path)


def test_names_of_a_taxonomy(taxonomy):
    assert taxonomy["barswa"] == Species("barswa", "Hirundo rustica", "Barn Swallow", "aves")
    assert taxonomy["noname"] == Species("noname", "noname", "noname", "")


def test_species_that_the_taxonomy_lacks_are_kept_and_reported(taxonomy):
    vocabulary, missing = make_vocabulary(["zzz", "barswa"], taxonomy)
    assert vocabulary.codes == ("zzz", "barswa")
    assert vocabulary.species[0] == Species("zzz", "zzz", "zzz")
    assert missing == ("zzz",)
    assert make_vocabulary(["zzz"], None)[1] == ()


def test_labels_file_round_trip(tmp_path, taxonomy):
    vocabulary, _ = make_vocabulary(["comnoc1", "zzz"], taxonomy)
    path = tmp_path / "labels.txt"
    vocabulary.write(path)
    lines = "comnoc1\tNyctalus noctula\tNoctule, Common\nzzz\tzzz\tzzz\n"
    assert path.read_text(encoding="utf-8") == lines
    assert Vocabulary.read(path).codes == vocabulary.codes


@pytest.mark.parametrize("text", ["", "barswa\tHirundo rustica\n", "a\tb\tc\td\n"])
def test_broken_labels_file(tmp_path, text):
    path = tmp_path / "labels.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"labels\.txt must have three columns"):
        Vocabulary.read(path)


@pytest.mark.parametrize("name", ["barswa", "BARSWA", "Hirundo rustica", " barn swallow "])
def test_species_by_any_of_their_names(taxonomy, name):
    vocabulary, _ = make_vocabulary(["comnoc1", "barswa"], taxonomy)
    assert vocabulary.find(name) == 1


def test_a_code_goes_before_a_name():
    vocabulary = Vocabulary((Species("robin", "A", "B"), Species("x", "C", "Robin")))
    assert vocabulary.find("robin") == 0


def test_unknown_species_offers_the_closest(taxonomy):
    vocabulary, _ = make_vocabulary(["comnoc1", "barswa"], taxonomy)
    with pytest.raises(UnknownNameError, match="Did you mean 'Barn Swallow'") as caught:
        vocabulary.find("Barn Swalow")
    assert "Hirundo" not in str(caught.value)


def test_a_code_twice(tmp_path):
    path = tmp_path / "taxonomy.csv"
    path.write_text(TAXONOMY + "barswa,Hirundo,Swallow,aves\n")
    with pytest.raises(DataError, match="more than once") as caught:
        read_taxonomy(path)
    assert caught.value.problems == ("row 2: 'barswa'", "row 5: 'barswa'")


def test_missing_columns(tmp_path):
    path = tmp_path / "taxonomy.csv"
    path.write_text("code,sci_name,com_name\na,b,c\n")
    with pytest.raises(DataError, match="no column 'species_code'"):
        read_taxonomy(path)
