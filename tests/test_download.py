"""What comes through the door is whole and verified, whatever the server and the network do."""

import gzip
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.files import BadInput
from corpus.sample import bases, make
from corpus.sources import Remote
from corpus.sources.guidelines import Guidelines
from corpus.sources.mimic import CXR, III, IV_NOTE, Mimic
from corpus.sources.notes import Notes
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed
from corpus.sources.redpajama import RedPajama
from corpus.world import mimic, notes, others, papers, pmc, pubmed, redpajama
from pipelines import arrivals, bundles, door, fetch
from pipelines.arrivals import STATE, Folder
from pipelines.door import Door, Manners
from pipelines.download import fetch as fetch_files
from pipelines.download import fetch_bytes, fetch_source, source_manifest
from pipelines.recipe import WORLD
from pipelines.transport import retry_after
from tests.world import KINDS, PASSWORD, USER, World

QUICK = Manners(tries=4, pause=0.01, longest=0.05, timeout=5, spare=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A world of a seventh of the usual size: what is tested here is how its files travel."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            *((papers, "BASELINE", 300), (pubmed, "BASELINE", 300), (pubmed, "NEW", 40), (pmc, "ARTICLES", 36)),
            *((mimic, name, 20) for name in ("DISCHARGE", "RADIOLOGY", "CXR", "THREE")),
            *((redpajama, "ROWS", dict.fromkeys(redpajama.ROWS, 20)), (notes, "NOTES", 20), (others, "GUIDELINES", 10)),
        ):
            patch.setattr(module, name, value)
        make(folder)
    return folder


@pytest.fixture
def served(made):
    with World(made) as world:
        yield world


@pytest.fixture
def site(tmp_path):
    """A server over a folder with one file of 300 kB, and its Remote."""
    folder = tmp_path / "site"
    folder.mkdir()
    body = hashlib.shake_256(b"a file").digest(300_000)
    (folder / "file.bin").write_bytes(body)
    with World(folder) as world:
        md5 = hashlib.md5(body).hexdigest()
        yield world, Remote(f"{world.url}/file.bin", "deep/file.bin", f"md5:{md5}"), body


def brought(remotes, dest, **options):
    return fetch_files(remotes, dest, door=Door(QUICK, **options))


def credentials(monkeypatch, home: Path, password: str = PASSWORD) -> None:
    home.mkdir(exist_ok=True)
    netrc = home / ".netrc"
    netrc.write_text(f'machine 127.0.0.1 login {USER} password "{password}"\n')
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("WGET_ASKPASS", raising=False)


# ---- one file, every fault ----


@pytest.mark.parametrize("kind", ["reset", "truncate", "busy", "unavailable", "page", "short", "corrupt"])
def test_a_passing_fault_is_mended(site, tmp_path, kind):
    world, remote, body = site
    fault = world.fault("file.bin", kind)
    rows = brought([remote], tmp_path / "got")
    assert fault.met == 1
    assert (tmp_path / "got/deep/file.bin").read_bytes() == body
    assert rows[0]["sha256"] == hashlib.sha256(body).hexdigest()
    assert rows[0]["bytes"] == len(body)


def test_a_reset_goes_on_where_it_stopped(site, tmp_path):
    world, remote, body = site
    world.fault("file.bin", "reset", times=3)
    brought([remote], tmp_path / "got")
    assert world.sent["/file.bin"] < len(body) / 2  # what the last request still had to send


def test_progress_earns_new_tries(site, tmp_path):
    world, remote, body = site
    world.fault("file.bin", "truncate", times=3 * QUICK.tries)
    brought([remote], tmp_path / "got")
    assert (tmp_path / "got/deep/file.bin").read_bytes() == body


def test_a_server_without_ranges_begins_anew(site, tmp_path):
    world, remote, body = site
    world.fault("file.bin", "truncate")
    world.fault("file.bin", "no range", times=9)
    brought([remote], tmp_path / "got")
    assert (tmp_path / "got/deep/file.bin").read_bytes() == body


def test_a_file_that_changes_between_two_tries_is_not_patched_together(site, tmp_path):
    world, remote, _ = site
    remote = replace(remote, digest=None)
    world.fault("file.bin", "unavailable", times=QUICK.tries)
    world.faults.insert(0, world.fault("file.bin", "truncate"))
    with pytest.raises(BadInput, match="given up"):
        brought([remote], tmp_path / "got")
    assert list((tmp_path / "got" / STATE).rglob("*.partial"))
    other = b"other" * 50_000
    (world.folder / "file.bin").write_bytes(other)
    world.faults.clear()
    brought([remote], tmp_path / "got")
    assert (tmp_path / "got/deep/file.bin").read_bytes() == other


def test_a_slow_host_is_asked_again(site, tmp_path):
    world, remote, body = site
    world.fault("file.bin", "slow", seconds=1.0)
    fetch_files([remote], tmp_path / "got", door=Door(replace(QUICK, timeout=0.2)))
    assert (tmp_path / "got/deep/file.bin").read_bytes() == body
    assert world.asked["/file.bin"] > 1


def test_corrupt_twice_names_both_digests_and_keeps_nothing(site, tmp_path):
    world, remote, _ = site
    world.fault("file.bin", "corrupt", times=2)
    with pytest.raises(BadInput, match=rf"file.bin.*{remote.digest}.*md5:[0-9a-f]{{32}}.*twice"):
        brought([remote], tmp_path / "got")
    assert not [path for path in (tmp_path / "got").rglob("*") if path.suffix in (".bin", ".partial")]


def test_html_with_status_200_is_an_error_that_names_the_address(site, tmp_path):
    world, remote, _ = site
    world.fault("file.bin", "page", times=9)
    with pytest.raises(BadInput, match=r"127.0.0.1:\d+/file.bin: a web page \(HTML\)"):
        brought([replace(remote, digest=None)], tmp_path / "got")
    assert not (tmp_path / "got/deep/file.bin").exists()


def test_hopeless_hosts_are_given_up_with_a_sentence(site, tmp_path):
    world, remote, _ = site
    world.fault("file.bin", "unavailable", times=99)
    with pytest.raises(BadInput, match=r"file.bin: status 503; given up after 4 tries: run the same command again"):
        brought([remote], tmp_path / "got")
    assert world.asked["/file.bin"] == QUICK.tries


def test_nobody_at_the_address(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(door, "PATIENCE", 0)
    with pytest.raises(BadInput, match=r"given up after 4 tries"):
        brought([Remote("http://127.0.0.1:9/file.bin?token=hidden", "file.bin")], tmp_path / "got")
    told = [line for line in capsys.readouterr().err.splitlines() if "try " in line]
    assert len(told) == 1  # once in a while, not each time
    assert "127.0.0.1" in told[0] and "try 2 of 4 in 0 s" in told[0] and "hidden" not in told[0]


def test_missing_files_and_wrong_schemes(site, tmp_path):
    world, _, _ = site
    with pytest.raises(BadInput, match="status 404, there is no such file"):
        brought([Remote(f"{world.url}/none.bin", "none.bin")], tmp_path / "got")
    assert world.asked["/none.bin"] == 1
    with pytest.raises(BadInput, match="found gopher://"):
        brought([Remote("gopher://example.org/x", "x")], tmp_path / "got")


def test_retry_after_is_heard(site, tmp_path):
    world, remote, _ = site
    world.fault("file.bin", "busy", seconds=0.3)
    began = time.monotonic()
    fetch_files([remote], tmp_path / "got", door=Door(replace(QUICK, longest=2.0)))
    assert time.monotonic() - began >= 0.3 or world.asked["/file.bin"] == 2
    assert retry_after("120") == 120
    assert 3000 < retry_after(time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))) < 3700
    assert retry_after("soon") == retry_after(None) == 0


def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(BadInput, match="user name or password") as caught:
        brought([Remote("https://me:secret@example.org/x", "x")], tmp_path / "got")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["../out", "/etc/x", "a/../../b", ".fetch/x", ""])
def test_a_listing_cannot_name_a_place_outside(site, tmp_path, path):
    _, remote, _ = site
    with pytest.raises(BadInput, match="no place below"):
        brought([replace(remote, path=path)], tmp_path / "got")


def test_a_disk_that_is_too_small_is_noticed_before(site, tmp_path):
    world, remote, _ = site
    with pytest.raises(BadInput, match="free some space"):
        fetch_files([remote], tmp_path / "got", door=Door(replace(QUICK, spare=1 << 60)))
    assert world.asked["/file.bin"] == 0
    with pytest.raises(BadInput, match="free some space"):
        brought([replace(remote, size=1 << 60)], tmp_path / "got")


def test_a_whole_partial_file_is_not_fetched_again(site, tmp_path):
    world, remote, body = site
    world.fault("file.bin", "truncate")
    with pytest.raises(BadInput):
        fetch_files([remote], tmp_path / "got", door=Door(replace(QUICK, tries=1)))
    (tmp_path / "got" / STATE / "deep/file.bin.partial").write_bytes(body)  # killed before it got its name
    world.sent.clear()
    brought([remote], tmp_path / "got")
    assert not world.sent["/file.bin"]


# ---- what is there ----


def test_what_is_there_and_verified_is_not_fetched_again(site, tmp_path):
    world, remote, _ = site
    first = brought([remote], tmp_path / "got")
    again = brought([remote], tmp_path / "got")
    assert first == again
    assert world.asked["/file.bin"] == 1


def test_a_file_that_the_user_put_there_is_verified_and_kept(site, tmp_path):
    world, remote, body = site
    (tmp_path / "got/deep").mkdir(parents=True)
    (tmp_path / "got/deep/file.bin").write_bytes(body)
    assert brought([remote], tmp_path / "got")[0]["sha256"] == hashlib.sha256(body).hexdigest()
    assert brought([replace(remote, digest=None)], tmp_path / "got")
    assert world.asked["/file.bin"] == 0


@pytest.mark.parametrize("digest", [True, False])
def test_half_a_file_under_its_own_name_is_not_taken_for_whole(site, tmp_path, digest):
    _, remote, body = site
    (tmp_path / "got/deep").mkdir(parents=True)
    (tmp_path / "got/deep/file.bin").write_bytes(body[:1000])
    with pytest.raises(BadInput, match="never came whole"):
        brought([remote if digest else replace(remote, digest=None)], tmp_path / "got")


def test_a_changed_file_is_an_error_that_names_both_digests(site, tmp_path):
    world, remote, _ = site
    brought([remote], tmp_path / "got")
    body = b"published again" * 1000
    (world.folder / "file.bin").write_bytes(body)
    changed = replace(remote, digest=f"md5:{hashlib.md5(body).hexdigest()}")
    with pytest.raises(BadInput, match=rf"{remote.digest}.*{changed.digest}.*Move the file away"):
        brought([changed], tmp_path / "got")
    (tmp_path / "got/deep/file.bin").unlink()
    brought([changed], tmp_path / "got")
    assert (tmp_path / "got/deep/file.bin").read_bytes() == body


def test_one_bad_file_keeps_no_other_from_being_finished(site, tmp_path):
    world, remote, _ = site
    for name in "abc":
        (world.folder / name).write_bytes(name.encode() * 99)
    others = [Remote(f"{world.url}/{name}", name) for name in "abc"]
    with pytest.raises(BadInput, match="404"):
        brought([Remote(f"{world.url}/none", "none"), *others, remote], tmp_path / "got")
    assert (tmp_path / "got/a").exists() and (tmp_path / "got/deep/file.bin").exists()


def test_one_host_is_asked_politely(site, tmp_path):
    world, _, _ = site
    world.latency = 0.02
    for number in range(20):
        (world.folder / f"{number}").write_bytes(b"x" * 10)
    remotes = [Remote(f"{world.url}/{number}", f"{number}") for number in range(20)]
    brought(remotes, tmp_path / "got")
    assert 2 <= world.most <= QUICK.per_host
    world.most = 0
    brought(remotes, tmp_path / "more", bucket=True)
    assert world.most > QUICK.per_host


def test_two_fetches_into_one_folder_are_refused(tmp_path):
    with Folder(tmp_path).held(), pytest.raises(BadInput, match="another fetch"):
        brought([], tmp_path)


def test_local_files_come_through_the_same_door(tmp_path):
    source = tmp_path / "a file é.txt"
    source.write_bytes(b"words\n")
    sha = hashlib.sha256(b"words\n").hexdigest()
    remotes = [
        Remote(source.as_uri(), "one.txt", f"sha256:{sha}"),
        Remote(str(source), "two.txt"),
        Remote(source.as_uri(), "three.txt", size=6),
    ]
    rows = brought(remotes, tmp_path / "got")
    assert {row["sha256"] for row in rows} == {sha}
    assert (tmp_path / "got/one.txt").stat().st_ino == source.stat().st_ino  # no second copy of 100 GB
    with pytest.raises(BadInput, match=f"sha256:{'0' * 64}.*{sha}"):
        brought([Remote(source.as_uri(), "four.txt", f"sha256:{'0' * 64}")], tmp_path / "got")
    assert source.exists()
    with pytest.raises(BadInput, match="there is no such file"):
        brought([Remote((tmp_path / "none").as_uri(), "five.txt")], tmp_path / "got")


def test_restricted_files_are_the_owners_alone(tmp_path):
    source = tmp_path / "note.csv"
    source.write_bytes(b"text\nwords\n")
    source.chmod(0o644)
    brought([Remote(source.as_uri(), "note.csv")], tmp_path / "got", restricted=True)
    assert stat.S_IMODE((tmp_path / "got/note.csv").stat().st_mode) == 0o600
    assert stat.S_IMODE(source.stat().st_mode) == 0o644  # the user's own file is as it was


def test_s3_addresses_through_boto3(made, tmp_path, monkeypatch):
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ):
            monkeypatch.setenv(name, value)
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="pmc-oa-opendata")
        for path in sorted((made / "pmc").rglob("*")):
            key = path.relative_to(made / "pmc").as_posix()
            if path.is_file() and (not key.startswith(("PMC", "metadata")) or "PMC700000" in key):
                client.put_object(Bucket="pmc-oa-opendata", Key=key, Body=path.read_bytes(), ACL="public-read")
        listed = fetch_bytes("s3://pmc-oa-opendata/?list-type=2&delimiter=/&prefix=inventory-reports/")
        assert b"<Prefix>inventory-reports/pmc-oa-opendata/</Prefix>" in listed
        source = PMC(base="s3://pmc-oa-opendata/", limit=1)
        fetch_source(source, tmp_path / "pmc", manners=QUICK)
        with tarfile.open(tmp_path / "pmc/pmc-00000.tar") as tar:
            assert tar.getnames() == ["PMC7000000.1/PMC7000000.1.json", "PMC7000000.1/PMC7000000.1.xml"]
        remote = Remote("s3://pmc-oa-opendata/README.txt", "README.txt")
        assert brought([remote], tmp_path / "one")[0]["bytes"] == (made / "pmc/README.txt").stat().st_size
        with pytest.raises(BadInput, match="no such file"):
            fetch_bytes("s3://pmc-oa-opendata/none")
    finally:
        server.stop()


# ---- PhysioNet ----


def physionet(world: World) -> Mimic:
    return Mimic(base=f"{world.url}/mimic/files", projects=(IV_NOTE, CXR, III))


def test_physionet_by_the_real_wget(served, made, tmp_path, monkeypatch):
    credentials(monkeypatch, tmp_path / "home")
    served.fault("NOTEEVENTS", "truncate")
    served.fault("discharge.csv.gz", "unavailable")
    folder = fetch_source(physionet(served), tmp_path / "raw/mimic", manners=QUICK)
    for name in ("mimic-iv-note/2.2/note/discharge.csv.gz", "mimiciii/1.4/NOTEEVENTS.csv.gz"):
        assert (folder / name).read_bytes() == (made / "mimic/files" / name).read_bytes()
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert served.agents == {"Wget"}
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".netrc"]
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]
    assert stat.S_IMODE(source_manifest(folder, "mimic").stat().st_mode) == 0o600


def test_physionet_by_a_program_that_knows_the_password(served, tmp_path, monkeypatch):
    program = tmp_path / "ask"
    program.write_text(f'#!/bin/sh\ncase "$1" in Username*) echo "{USER}";; *) echo "{PASSWORD}";; esac\n')
    program.chmod(0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WGET_ASKPASS", str(program))
    folder = fetch_source(replace(physionet(served), projects=(CXR,)), tmp_path / "mimic", manners=QUICK)
    assert (folder / "mimic-cxr/2.1.0/mimic-cxr-reports.zip").exists()


def test_physionet_without_or_with_wrong_credentials(served, tmp_path, monkeypatch):
    credentials(monkeypatch, tmp_path / "home", "wrong")
    with pytest.raises(BadInput, match=r"status 401, access is refused; give wget your PhysioNet name"):
        fetch_source(physionet(served), tmp_path / "mimic", manners=QUICK)
    (tmp_path / "home/.netrc").unlink()
    with pytest.raises(BadInput, match="status 401"):
        fetch_source(physionet(served), tmp_path / "mimic", manners=QUICK)
    with pytest.raises(BadInput, match="status 403"):  # whatever it says, another program is not heard
        fetch_bytes(f"{served.url}/mimic/files/mimic-cxr/2.1.0/SHA256SUMS.txt", QUICK)


def test_a_login_page_with_status_200_is_noticed(served, tmp_path, monkeypatch):
    credentials(monkeypatch, tmp_path / "home")
    served.fault("SHA256SUMS.txt", "login", times=9)
    with pytest.raises(BadInput, match="login page"):
        fetch_source(physionet(served), tmp_path / "mimic", manners=QUICK)
    served.faults.clear()
    served.fault("discharge.csv.gz", "login", times=9)
    with pytest.raises(BadInput, match=r"discharge.csv.gz: a web page \(HTML\)"):
        fetch_source(physionet(served), tmp_path / "mimic", manners=QUICK)
    assert (tmp_path / "mimic/mimic-cxr/2.1.0/mimic-cxr-reports.zip").exists()


def test_restricted_data_never_travels_in_the_clear(tmp_path):
    source = Mimic(base="http://physionet.example.org/files")
    with pytest.raises(BadInput, match="by https alone"):
        fetch_source(source, tmp_path / "mimic", manners=QUICK)


# ---- whole sources ----


def sources(place) -> list:
    where = bases(place.url if isinstance(place, World) else place)
    return [
        PubMed(base=where["pubmed"]),
        PMC(base=where["pmc"]),
        Mimic(base=where["mimic"], projects=(IV_NOTE, CXR, III)),
        RedPajama(base=where["redpajama"]),
        Guidelines(base=where["guidelines"]),
        Notes(base=bases(place.folder if isinstance(place, World) else place)["notes"]),
    ]


def content(folder: Path) -> dict[str, bytes]:
    """Every file that a build would read, by name; and the source manifest without dates and addresses."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and STATE not in path.parts
    }
    for name in [name for name in found if name.endswith(".sources.json")]:
        manifest = json.loads(found[name])
        for row in manifest["files"]:
            del row["retrieved"], row["url"]
        found[name] = json.dumps(manifest, sort_keys=True).encode()
    return found


# what may go wrong on the way of a file whose digest or size is known; "no range" last, because it brings the file
ON_THE_WAY = ("reset", "truncate", "busy", "unavailable", "page", "slow")
TO_A_FILE = (*ON_THE_WAY, "short", "corrupt", "no range")
# source -> files, lists (of which half cannot be told from the whole), and what befalls that source alone
ROUGH = {
    "pubmed": (("n0001.xml.gz", "n0004.xml.gz"), ("/baseline/", "n0003.xml.gz.md5"), (("n0002.xml.gz.md5", "other"),)),
    "pmc": (
        ("PMC7000013.1.xml", "PMC7000026.1.xml"),
        ("metadata/PMC7000039.1.json", "manifest.json", "/metadata/data/"),
        (),
    ),
    "mimic": (
        ("NOTEEVENTS.csv.gz", "discharge.csv.gz", "mimic-cxr-reports.zip"),
        ("note/2.2/SHA256SUMS.txt",),
        (("radiology.csv.gz", "login"), ("1.4/SHA256SUMS.txt", "login")),
    ),
    "redpajama": (("c4-train", "wiki.jsonl", "en_head"), ("urls.txt", "arxiv_SHA256SUMS.txt"), ()),
    "guidelines": (("open_guidelines.jsonl",), ("tree/main",), ()),
}


class Interrupts:
    """Stops a fetch as Ctrl-C does: after so many more pieces of bodies, or of runs of wget; never, when None."""

    def __init__(self, monkeypatch) -> None:
        self.left: int | None = None
        flowing, by_wget = Door.flowing, arrivals._by_wget

        def pieces(door, chunks):
            for chunk in flowing(door, chunks):
                self.step()
                yield chunk

        def run(*given):
            self.step()
            return by_wget(*given)

        monkeypatch.setattr(Door, "flowing", pieces)
        monkeypatch.setattr(arrivals, "_by_wget", run)

    def step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt


def roughly(source, dest: Path, world: World, interrupts: Interrupts, name: str) -> None:
    """Fetches under every fault, interrupted ten times, until it is there."""
    files, lists, own = ROUGH[name]
    for kinds, parts in ((TO_A_FILE, files), (ON_THE_WAY, lists)):
        for part in parts:
            for kind in kinds:
                world.fault(part, kind, seconds=0.6 if kind == "slow" else 0.0)
    for part, kind in own:
        world.fault(part, kind, times=2)
    manners = replace(QUICK, timeout=0.3)
    stops = 0
    for attempt in range(200):
        interrupts.left = attempt * 7 % 31 if stops < 10 else None
        try:
            fetch_source(source, dest, manners=manners)
        except KeyboardInterrupt:
            stops += 1
        except BadInput:  # what the next run of a user meets
            continue
        else:
            if stops >= 10:
                break
            shutil.rmtree(dest)  # it came between two stops
    assert stops >= 10
    assert [(fault.where, fault.kind) for fault in world.faults if fault.met < fault.times] == []


@pytest.mark.parametrize("name", [*ROUGH, "pmc by s3"])
def test_a_whole_world_under_every_fault_interrupted_ten_times(served, made, tmp_path, monkeypatch, name):
    name, _, by_s3 = name.partition(" by ")
    credentials(monkeypatch, tmp_path / "home")
    for option, value in (
        ("AWS_ENDPOINT_URL", served.url),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ):
        monkeypatch.setenv(option, value)
    [calm] = [source for source in sources(made) if source.name == name]
    [rough] = [source for source in sources(served) if source.name == name]
    fetch_source(calm, tmp_path / "calm" / name, manners=QUICK)
    if by_s3:
        rough = replace(rough, base="s3://pmc/")
    roughly(rough, tmp_path / "rough" / name, served, Interrupts(monkeypatch), name)
    assert content(tmp_path / "rough") == content(tmp_path / "calm")
    assert not list((tmp_path / "rough").rglob("*.partial"))


def test_every_source_is_fetched_under_faults():
    assert {source.name for source in sources(Path("/world"))} - ROUGH.keys() == {"notes"}  # which come by no network
    told = {*TO_A_FILE, *(kind for _, _, own in ROUGH.values() for _, kind in own)}
    assert told == KINDS.keys() - {"missing"}  # a file that is not there stays so


def test_a_kill_in_mid_file_is_survived(site, tmp_path):
    world, remote, body = site
    world.fault("file.bin", "slow", seconds=30)
    script = (
        "import sys; from pathlib import Path; from corpus.sources import Remote; from pipelines.download import fetch;"
        f"fetch([Remote({remote.url!r}, {remote.path!r}, {remote.digest!r})], Path({str(tmp_path / 'got')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parent.parent)
    partial = tmp_path / "got" / STATE / "deep/file.bin.partial"
    for _ in range(1000):
        if partial.exists() and partial.stat().st_size > 100_000:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not (tmp_path / "got/deep/file.bin").exists()
    brought([remote], tmp_path / "got")
    assert (tmp_path / "got/deep/file.bin").read_bytes() == body
    assert world.sent["/file.bin"] < len(body)  # the rest alone


def test_stale_side_car_names_both_digests(served, tmp_path):
    served.fault("pubmed26n0002.xml.gz.md5", "other", times=9)
    with pytest.raises(BadInput, match=r"pubmed26n0002.xml.gz: the publisher's list says md5:.* what came has md5:"):
        fetch_source(PubMed(base=f"{served.url}/pubmed/"), tmp_path / "pubmed", manners=QUICK)
    assert (tmp_path / "pubmed/baseline/pubmed26n0001.xml.gz").exists()  # the others are finished
    assert not (tmp_path / "pubmed/baseline/pubmed26n0002.xml.gz").exists()
    assert not source_manifest(tmp_path / "pubmed", "pubmed").exists()  # written last, so not written


def test_side_cars_are_asked_for_ahead(served, tmp_path):
    served.latency = 0.05
    served.fault("n0003.xml.gz.md5", "unavailable")
    served.fault("n0002.xml.gz.md5", "page")
    remotes = list(PubMed(base=f"{served.url}/pubmed/").listing(Door(QUICK)))
    assert [remote.digest for remote in remotes] == [
        f"md5:{hashlib.md5((served.folder / remote.url.removeprefix(served.url + '/')).read_bytes()).hexdigest()}"
        for remote in remotes
    ]
    assert 1 < served.most <= QUICK.per_host


def test_guidelines_come_from_where_the_hubs_own_client_says(served, made, tmp_path, monkeypatch):
    from datasets import load_dataset
    from huggingface_hub import HfApi, hf_hub_url

    hub = f"{served.url}/guidelines"
    source = Guidelines(base=hub)
    [remote] = source.listing(Door(QUICK))
    tree = HfApi(endpoint=hub).list_repo_tree(source.dataset, recursive=True, repo_type="dataset")
    [there] = [file for file in tree if source.accepts(file.path)]
    assert (remote.path, remote.size, remote.digest) == (there.path, there.size, f"sha256:{there.lfs.sha256}")
    assert remote.url == hf_hub_url(source.dataset, remote.path, repo_type="dataset", endpoint=hub)
    assert served.tokens == {""}
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    fetch_source(RedPajama(base=f"{served.url}/redpajama"), tmp_path / "other/redpajama", limit=1, manners=QUICK)
    assert served.tokens == {""}  # a token is for the hub alone
    monkeypatch.setenv("HF_ENDPOINT", hub)
    folder = fetch_source(source, tmp_path / "raw/guidelines", manners=QUICK)
    assert "hf_made_up" in served.tokens
    assert "hf_made_up" not in source_manifest(folder, "guidelines").read_text()
    rows = load_dataset("json", data_files=str(folder / remote.path), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == len(list(source.read(folder / remote.path, remote.path)))
    fetch_source(Guidelines(base=str(folder)), tmp_path / "again/guidelines", manners=QUICK)  # or a file that is here
    assert (tmp_path / "again/guidelines" / remote.path).read_bytes() == (folder / remote.path).read_bytes()


def test_a_second_fetch_touches_no_file(served, tmp_path):
    folder = fetch_source(RedPajama(base=f"{served.url}/redpajama"), tmp_path / "redpajama", manners=QUICK)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "lock" and path.is_file()}
    fetch_source(RedPajama(base=f"{served.url}/redpajama"), folder, manners=QUICK)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_limit_takes_the_same_files_from_every_folder(served, tmp_path):
    source = RedPajama(base=f"{served.url}/redpajama")
    for name in ("one", "two"):
        fetch_source(source, tmp_path / name / "redpajama", limit=8, manners=QUICK)
    first = content(tmp_path / "one")
    assert first == content(tmp_path / "two")
    assert len(first) == 9
    assert {name.split("/")[1] for name in first if "/" in name} >= {"c4", "wikipedia", "arxiv", "common_crawl"}


def test_release_2_of_redpajama_comes_by_snapshot_and_language(tmp_path):
    place = tmp_path / "site/v2"
    for language, snapshot in (("en", "2023-06"), ("de", "2023-06"), ("en", "2022-49")):
        shards = [f"{snapshot}/{number:04}/{language}_{part}" for number in range(3) for part in ("head", "middle")]
        (place / "listings").mkdir(parents=True, exist_ok=True)
        (place / "listings" / f"{language}-{snapshot}-head_middle.txt").write_text("\n".join(shards) + "\n")
        for shard in shards:
            row = {
                "url": f"http://x/{shard}",
                "raw_content": "Words.",
                "language": language,
                "date_download": "20230205",
            }
            path = place / "documents" / f"{shard}.json.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(json.dumps(row).encode(), mtime=0))
    with World(tmp_path / "site") as world:
        world.fault("en_middle", "truncate")
        world.fault("0001/en_head", "page")
        source = RedPajama(shares=(("v2", 1.0),), snapshots=("2023-06",), base_v2=f"{world.url}/v2", tokens=60e6)
        folder = fetch_source(source, tmp_path / "raw/redpajama", manners=QUICK)
        assert {path.split("/")[3] for path in world.asked if "documents" in path} == {"2023-06"}
        assert not [path for path in world.asked if "/de_" in path or "/de-" in path]
        came = sorted(folder.rglob("*.json.gz"))
        assert len(came) == 4  # of six: 60M tokens with a margin of a quarter, 24.4M a file
        assert [d.meta["language"] for path in came for d in source.read(path, path.name)] == ["en"] * 4


@pytest.mark.parametrize("since", ["2026-02-02", "20260202"])
def test_since_takes_new_update_files_alone(served, tmp_path, since):
    status = fetch.main(["pubmed", "--base", f"{served.url}/pubmed", "--since", since, "--dest", str(tmp_path)])
    assert status == 0
    assert [path.name for path in (tmp_path / "pubmed").rglob("*.gz")] == ["pubmed26n0005.xml.gz"]


def test_the_command_says_what_is_wrong(capsys, tmp_path):
    assert fetch.main(["pubmid"]) == 2
    assert "did you mean pubmed" in capsys.readouterr().err
    assert fetch.main(["mimic", "--since", "2026-01-01"]) == 2
    assert "no dated updates" in capsys.readouterr().err
    assert fetch.main(["pubmed", "pmc", "--base", "x"]) == 2
    assert fetch.main(["pubmed", "--limit", "0"]) == 2
    assert fetch.main(["pubmed", "--since", "2026-13-01"]) == 2
    assert fetch.main(["guidelines", "--base", (tmp_path / "none").as_uri(), "--dest", str(tmp_path)]) == 2
    assert "check the address" in capsys.readouterr().err


def test_a_source_that_fails_keeps_no_other_out(made, tmp_path, monkeypatch):
    world = replace(WORLD, streams=tuple(s for s in WORLD.streams if s.source.name in ("pubmed", "guidelines")))
    where = bases(made) | {"pubmed": (tmp_path / "none").as_uri() + "/"}
    streams = [replace(s, source=replace(s.source, base=where[s.source.name])) for s in world.streams]
    monkeypatch.setattr(fetch, "find", lambda name: replace(world, streams=tuple(streams)))
    assert fetch.main(["pubmed", "guidelines", "--dest", str(tmp_path / "raw")]) == 2
    assert (tmp_path / "raw/guidelines/open_guidelines.jsonl").exists()


# ---- PMC's bundles ----


@pytest.fixture
def bucket(made, tmp_path):
    """A copy of the bucket that a test may change."""
    shutil.copytree(made / "pmc", tmp_path / "site/pmc")
    with World(tmp_path / "site") as world:
        yield world


def articles(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted(folder.glob("pmc-*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                assert member.name not in found
                found[member.name] = tar.extractfile(member).read()
    return found


def bundled(world: World, dest: Path, each: int = 10, **options) -> list[dict]:
    return bundles.fetch(PMC(base=f"{world.url}/pmc/", **options), dest, Door(QUICK, bucket=True), articles=each)


def inventory(world: World, changed: dict[str, str | None]) -> None:
    """Publishes another inventory: other ETags for these keys, or none."""
    folder = world.folder / "pmc/inventory-reports/pmc-oa-opendata/metadata/2026-08-30T01-00Z"
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        path = world.folder / "pmc" / file["key"]
        lines = []
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            bucket, key, date, tag = line.strip('"').split('","')
            if changed.get(key, tag) is not None:
                lines.append(f'"{bucket}","{key}","{date}","{changed.get(key, tag)}"\n')
        path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
        file["MD5checksum"], file["size"] = hashlib.md5(path.read_bytes()).hexdigest(), path.stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_bundles_hold_the_accepted_versions(bucket, made, tmp_path):
    truth = json.loads((made / "truth.json").read_text())["pmc"]
    rows = bundled(bucket, tmp_path / "pmc")
    held = articles(tmp_path / "pmc")
    assert [row["path"] for row in rows] == [f"pmc-{n:05d}.tar" for n in range(4)]
    assert (
        sum(row["articles"] for row in rows) == len(held) // 2 == truth["articles"] - len(truth["kinds"]["retracted"])
    )
    for id, version in truth["chosen"].items():
        assert f"{id}.{version}/{id}.{version}.xml" in held
        assert f"{id}.{3 - version}/{id}.{3 - version}.xml" not in held
    for name, body in held.items():
        assert body == (made / "pmc" / name).read_bytes()


def test_only_licences_of_the_policy_are_fetched(bucket, tmp_path):
    rows = bundled(bucket, tmp_path / "pmc", licenses=("CC0", "CC BY"))
    assert set(json.loads(rows[0]["license"])) == {"CC0", "CC BY"}
    fetched = [path for path in bucket.asked if path.endswith(".xml")]
    assert len(fetched) == sum(row["articles"] for row in rows)  # nothing else was downloaded


def test_a_later_run_asks_only_for_what_changed(bucket, tmp_path):
    rows = bundled(bucket, tmp_path / "pmc")
    bucket.asked.clear()
    assert bundled(bucket, tmp_path / "pmc") == rows
    assert not [path for path in bucket.asked if "PMC" in path]
    id = "PMC7000026"
    xml = (bucket.folder / f"pmc/{id}.1/{id}.1.xml").read_bytes().replace(b"Introduction", b"Opening")
    (bucket.folder / f"pmc/{id}.1/{id}.1.xml").write_bytes(xml)
    for place in (f"metadata/{id}.1.json", f"{id}.1/{id}.1.json"):
        meta = json.loads((bucket.folder / "pmc" / place).read_text())
        meta["xml_url"] = f"s3://pmc-oa-opendata/{id}.1/{id}.1.xml?md5={hashlib.md5(xml).hexdigest()}"
        (bucket.folder / "pmc" / place).write_text(json.dumps(meta))
    gone = "PMC7000000"
    inventory(bucket, {f"metadata/{id}.1.json": "f" * 32, f"metadata/{gone}.1.json": None})
    before = articles(tmp_path / "pmc")
    bundled(bucket, tmp_path / "pmc")
    after = articles(tmp_path / "pmc")
    assert [path for path in bucket.asked if "PMC" in path and "inventory" not in path] == [
        f"/pmc/metadata/{id}.1.json",
        f"/pmc/{id}.1/{id}.1.xml",
    ]
    assert after[f"{id}.1/{id}.1.xml"] == xml
    assert set(before) - set(after) == {f"{gone}.1/{gone}.1.json", f"{gone}.1/{gone}.1.xml"}
    assert {name for name in after if before[name] != after[name]} == {f"{id}.1/{id}.1.json", f"{id}.1/{id}.1.xml"}


@pytest.mark.parametrize("moment", ["packing", "naming"])
def test_bundles_survive_a_kill(bucket, tmp_path, monkeypatch, moment):
    calm = bundled(bucket, tmp_path / "calm")
    for round in range(3):

        def killed(*_: object, count: list[int] = [0], round: int = round) -> None:  # noqa: B006
            count[0] += 1
            if count[0] > (round + 12 if moment == "packing" else 0):
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            if moment == "packing":
                patch.setattr(bundles._Shown, "step", killed)
            else:  # after the state is written, before the bundle has its name
                patch.setattr(bundles.os, "replace", killed)
            with pytest.raises(KeyboardInterrupt):
                bundled(bucket, tmp_path / "rough")
    assert [row["sha256"] for row in bundled(bucket, tmp_path / "rough")] == [row["sha256"] for row in calm]
    assert articles(tmp_path / "rough") == articles(tmp_path / "calm")


def test_an_article_that_never_verifies_keeps_no_other_out(bucket, tmp_path):
    bucket.fault("PMC7000026.1.xml", "corrupt", times=99)
    with pytest.raises(BadInput, match=r"1 articles did not come .*PMC7000026.1.xml: its metadata says md5:"):
        bundled(bucket, tmp_path / "pmc")
    assert len(articles(tmp_path / "pmc")) == 2 * 33
    bucket.faults.clear()
    bundled(bucket, tmp_path / "pmc")
    assert len(articles(tmp_path / "pmc")) == 2 * 34


def test_many_requests_are_in_flight(bucket, tmp_path):
    bucket.latency = 0.1
    bundled(bucket, tmp_path / "pmc")
    assert bucket.most > 16


def test_an_object_that_left_after_the_inventory_is_passed_over(bucket, tmp_path):
    (bucket.folder / "pmc/metadata/PMC7000026.1.json").unlink()
    bundled(bucket, tmp_path / "pmc")
    assert len(articles(tmp_path / "pmc")) == 2 * 33


def test_threads_stop_when_one_fails(site, tmp_path):
    world, remote, _ = site
    before = threading.active_count()
    world.fault("file.bin", "page", times=9)
    with pytest.raises(BadInput):
        brought([remote], tmp_path / "got")
    assert threading.active_count() <= before + 2
    assert not os.path.exists(tmp_path / "got/deep/file.bin")
