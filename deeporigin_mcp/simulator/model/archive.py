"""A few entries of the Protein Data Bank, at their real addresses, with a made-up helix, a ligand and waters."""

from deeporigin_mcp.simulator.model.molecules import helix_pdb

DOWNLOADS = "https://files.rcsb.org/download/"
_ENTRIES = {"1iep": ("pdb", "STI"), "3a99": ("pdb", "ANP"), "4ey7": ("pdb", "E20"), "7k00": ("cif", "MG")}
"""Format and ligand. The largest entries are there as mmCIF only."""
WATERS = 5
_COLUMNS = (
    *("group_PDB", "id", "auth_atom_id", "auth_comp_id", "auth_asym_id", "auth_seq_id"),
    *("Cartn_x", "Cartn_y", "Cartn_z", "type_symbol"),
)


def fetched(url: str) -> bytes | None:
    """The file of an entry; None for any other address."""
    code, _, ending = url.removeprefix(DOWNLOADS).partition(".")
    format_, ligand = _ENTRIES.get(code, ("", ""))
    if not url.startswith(DOWNLOADS) or ending != format_:
        return None
    pdb = _entry(code.upper(), ligand)
    return (pdb if format_ == "pdb" else _mmcif(code, pdb)).encode()


def _entry(code: str, ligand: str) -> str:
    lines = [line for line in helix_pdb(60).splitlines() if line.startswith(("ATOM", "TER"))]
    others = [("C1", ligand, 201), *(("O", "HOH", 301 + number) for number in range(WATERS))]
    found = [
        f"HETATM{1000 + number:5d}  {atom:<3} {residue:>3} A{at:4d}    {12.0 + number:8.3f}{8.0:8.3f}{5.0:8.3f}"
        f"  1.00  0.00          {atom[0]:>2}"
        for number, (atom, residue, at) in enumerate(others)
    ]
    return "\n".join([f"HEADER    SIMULATED ENTRY{code:>43}", *lines, *found, "END", ""])


def _mmcif(code: str, pdb: str) -> str:
    atoms = [
        " ".join((line[:6], line[6:11], line[12:16], line[17:20], line[21], line[22:26], line[30:54], line[76:78]))
        for line in pdb.splitlines()
        if line.startswith(("ATOM", "HETATM"))
    ]
    header = [f"data_{code.upper()}", "#", "loop_", *(f"_atom_site.{column}" for column in _COLUMNS)]
    return "\n".join([*header, *(" ".join(atom.split()) for atom in atoms), "#", ""])
