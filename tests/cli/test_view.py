"""`warpwise view`: three formats, each read back by a parser that knows only its rules."""

import gzip
import json
import re
from collections import defaultdict
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
import zstandard

SVG = "{http://www.w3.org/2000/svg}"
WINDOW = ("--cycles", "2200:2500", "--subcore", "0")  # of the sample: barriers, loads, FFMAs


@pytest.fixture
def view(command, sample, tmp_path):
    """Writes a view of the sample and returns its path."""

    def call(name, *options):
        path = tmp_path / name
        outcome = command("view", sample, *WINDOW, *options, "-o", path)
        assert outcome.code == 0, outcome.err
        return path

    return call


class Kanata:
    """Reads a log as the viewer's rules say; every broken rule is an assertion."""

    def __init__(self, text):
        self.stages = defaultdict(list)  # id -> lane, name, begin, end
        self.labels, self.threads, self.retired, self.arrows = {}, {}, {}, []
        self._open = {}
        self.now = 0
        header, *lines = text.splitlines()
        assert header == "Kanata\t0004"
        for line in lines:
            command, *fields = line.split("\t")
            getattr(self, "_start_cycle" if command == "C=" else f"_{command.lower()}")(*fields)
        assert not self._open
        assert sorted(self.threads) == list(range(len(self.threads))) == sorted(self.retired)
        assert sorted(self.retired.values()) == list(range(len(self.retired)))

    def _start_cycle(self, cycle):
        assert (cycle, self.now) == ("0", 0)

    def _c(self, cycles):
        assert int(cycles) > 0
        self.now += int(cycles)

    def _i(self, number, _, thread):
        assert int(number) not in self.threads
        self.threads[int(number)] = int(thread)

    def _alive(self, number):
        assert int(number) in self.threads
        assert int(number) not in self.retired
        return int(number)

    def _l(self, number, kind, text):
        if kind == "0":
            self.labels[self._alive(number)] = text

    def _close(self, number, lane):
        if (number, lane) in self._open:
            name, begin = self._open.pop((number, lane))
            assert 0 < begin < self.now
            self.stages[number].append((lane, name, begin, self.now))

    def _s(self, number, lane, name):
        self._close(self._alive(number), lane)
        self._open[int(number), lane] = name, self.now

    def _e(self, number, lane, name):
        assert self._open[self._alive(number), lane][0] == name
        self._close(int(number), lane)

    def _r(self, number, place, kind):
        assert kind == "0"
        for lane in "01":
            self._close(self._alive(number), lane)
        self.retired[int(number)] = int(place)

    def _w(self, consumer, producer, kind):
        assert kind == "0"
        assert int(producer) < self._alive(consumer)
        assert int(producer) in self.threads
        self.arrows.append((int(producer), int(consumer)))


def test_konata_log(view, command, sample, tmp_path):
    log = Kanata(view("m.log", "--format", "konata").read_text())
    document = command("view", sample, *WINDOW, "-o", tmp_path / "m.html", "--json").document
    assert len(log.threads) == document["instructions"] == 45
    assert len(log.arrows) == document["dependences"]
    ffma = next(n for n, label in log.labels.items() if " FFMA " in label)
    names = [name for lane, name, _, _ in log.stages[ffma] if lane == "0"]
    assert names == ["F", "D", "IB", "Is", "Ct", "Al", "RO", "Xfma", "Wb"]
    waits = {name for spans in log.stages.values() for lane, name, _, _ in spans if lane == "1"}
    assert {"barrier", "long_scoreboard", "wait"} <= waits <= set(document["states"])


def test_retire_ids_follow_the_trace_in_any_order_of_rows(view):
    logs = [
        Kanata(view(f"{order}.log", "--format", "konata", "--order", order).read_text())
        for order in ("issue", "warp")
    ]
    by_place = [{log.retired[n]: label for n, label in log.labels.items()} for log in logs]
    assert by_place[0] == by_place[1]
    assert logs[0].labels != logs[1].labels
    assert logs[1].retired == {n: n for n in logs[1].retired}


def test_compressed_files_hold_the_same(view):
    plain = view("m.log", "--format", "konata").read_bytes()
    assert gzip.decompress(view("m.log.gz", "--format", "konata").read_bytes()) == plain
    packed = view("m.log.zst", "--format", "konata").read_bytes()
    assert zstandard.decompress(packed) == plain


def test_chrome_trace(view):
    """Slices of a track nest, tracks have names, and both ends of a flow lie in a slice."""
    document = json.loads(view("m.json", "--format", "perfetto").read_text())
    tracks, flows, named = defaultdict(list), defaultdict(dict), set()
    for event in document["traceEvents"]:
        assert event["pid"] == 0
        if event["ph"] == "X":
            assert event["dur"] > 0
            end = event["ts"] + event["dur"]
            tracks[event["tid"]].append((event["ts"], -end, event["cat"]))
        elif event["ph"] in "sf":
            flows[event["id"]][event["ph"]] = event
        elif event["name"] == "thread_name":
            named.add(event["tid"])
    assert set(tracks) == named
    for slices in tracks.values():
        open_ends = []
        for begin, end, _ in sorted(slices):
            while open_ends and open_ends[-1] <= begin:
                open_ends.pop()
            assert not open_ends or -end <= open_ends[-1]
            open_ends.append(-end)
    assert len(flows) > 20
    for flow in flows.values():
        assert flow["s"]["ts"] <= flow["f"]["ts"]
        for end in flow.values():
            assert any(
                b <= end["ts"] < -e for b, e, kind in tracks[end["tid"]] if kind == "instruction"
            )


class Page(HTMLParser):
    """Collects what the page would load, and its rows."""

    VOID = ("meta", "option")

    def __init__(self, text):
        super().__init__()
        self.loads, self.rows, self._open = [], [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.loads += [values[name] for name in ("src", "href", "data") if name in values]
        if tag == "div" and "data-row" in values:
            self.rows.append(values["data-row"])
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def test_page(view):
    """The page loads nothing, has a line an instruction, and all boxes lie in the drawing."""
    text = view("m.html").read_text()
    page = Page(text)
    assert page.loads == []
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert page.rows == [str(n) for n in range(45)]
    drawing = ET.fromstring(re.search(r"<svg .*</svg>", text, re.DOTALL)[0])
    width, height = int(drawing.get("width")), int(drawing.get("height"))
    boxes = list(drawing.iter(f"{SVG}rect"))
    assert len(boxes) > 300
    for box in boxes:
        x, y, w, h = (int(box.get(name)) for name in ("x", "y", "width", "height"))
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height
    titles = [title.text for title in drawing.iter(f"{SVG}title")]
    assert any(title.startswith("stall: barrier, cycles") for title in titles)
    assert {path.get("data-from") for path in drawing.iter(f"{SVG}path")} - {None} <= set(page.rows)


def test_names_are_escaped(command, tmp_path):
    source = tmp_path / "names.sass"
    source.write_text(".arch sm_86\n.kernel f<int>&g\n.warm icache\nEXIT ;\n")
    output = tmp_path / "names.html"
    assert command("view", source, "-o", output).code == 0
    assert "<h1>f&lt;int&gt;&amp;g</h1>" in output.read_text()


def test_the_first_of_several_kernels(command, tmp_path):
    source = tmp_path / "two.sass"
    source.write_text(
        ".arch sm_86\n.kernel one\n.warm icache\nEXIT ;\n.kernel two\n.warm icache\nEXIT ;\n"
    )
    outcome = command("view", source, "-o", tmp_path / "two.html")
    assert "two.html: one, cycles 0 to" in outcome.out
    assert "has 2 kernels; this is the first, one" in outcome.err
    outcome = command("view", source, "--kernel", "two", "-o", tmp_path / "two.html")
    assert "two.html: two, " in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--cycles", "7"), 2, "expected FIRST:LAST"),
        (("--cycles", "9:9"), 2, "expected FIRST:LAST with FIRST below LAST"),
        (("--cycles", "-3:9"), 2, "expected FIRST:LAST"),
        (("--warps", "3-1"), 2, "expected warps such as 0 or 4-7"),
        (("--warps", "one"), 2, "expected warps such as 0 or 4-7"),
        (("--format", "pdf"), 2, "'html', 'konata'"),
        (("--subcore", "4"), 2, "'--subcore'"),
        (("--cycles", "900000:900100"), 3, "ends at cycle"),
        (("--sm", "84"), 3, "has 0 to 83"),
        (("--sm", "83"), 3, "these SMs do: 0-15"),
        (("--warps", "60"), 3, "no instruction of the chosen warps"),
        (("--cycles", "0:9000"), 3, "too many for a page"),
    ],
)
def test_bad_windows(command, sample, tmp_path, options, code, message):
    outcome = command("view", sample, *options, "-o", tmp_path / "view.html")
    assert outcome.code == code
    assert message in " ".join(outcome.err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(command, listing, tmp_path):
    outcome = command("view", listing, "-o", tmp_path / "none/view.html")
    assert outcome.code == 3
    assert "view.html: cannot be written" in outcome.err
