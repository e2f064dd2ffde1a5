"""What drug-discovery teams say, and which of the platform's tools they mean by it.

One row: phrases with commas between them → parts of tool keys, the best first. A part means every tool whose key
holds its words: `docking` means `deeporigin.docking` above `deeporigin.constrained-docking`. Words that the
catalogue itself uses (keys, names, descriptions, property names in schemas) need no row.
"""

from __future__ import annotations

SAID: tuple[tuple[str, str], ...] = (
    # Binding
    ("dock, binding mode, binding pose, pose, place ligand, autodock, vina, glide", "docking"),
    ("virtual screening, screen library, screen compound, hit finding, hit identification, high throughput", "docking"),
    ("pose with constraint, constraint, constrained, restrained, core constrained", "constrained-docking"),
    ("common core, reference pose, template pose, scaffold alignment, mcs, tethered", "constrained-docking"),
    ("binding free energy, free energy", "abfe rbfe"),
    ("fep, free energy perturbation, alchemical, free energy calculation, thermodynamic integration", "rbfe abfe"),
    ("absolute binding free energy, absolute free energy, absolute affinity, delta g", "abfe"),
    (
        "relative binding free energy, relative free energy, relative affinity, ddg, cycle closure, lead optimization",
        "rbfe",
    ),
    ("congeneric series, lead series, rank analog, rank lead, rank series, compare binding", "rbfe docking"),
    ("affinity, binding affinity, potency, binding strength, tightly, strongly, ic50, kd, ki", "abfe rbfe docking"),
    ("md, molecular dynamic", "abfe rbfe system-prep"),
    # Structures
    ("pocket, binding site, active site, cavity, druggability, druggable, allosteric site", "pocket-finder"),
    ("crystal ligand, docking box, grid box, define box", "pocket-finder"),
    ("prepare protein, protein preparation, clean protein, clean structure, clean pdb", "protein-prep"),
    ("missing loop, missing residue, loop modeling, add hydrogen, fix structure", "protein-prep"),
    ("prepare receptor, receptor preparation, prepare target, remove water, cocrystal", "protein-prep"),
    ("prepare system, solvate, solvation, parametrize, parameterize, force field, water box", "system-prep"),
    (
        "quality, structure quality, structure validation, validate structure, resolution, quality report",
        "structure-report",
    ),
    ("clash, ramachandran, assess structure", "structure-report"),
    ("target structure, search structure, pdb structure, alphafold", "uniprot-discovery"),
    (
        "uniprot, accession, crystal structure, structure available, structure exist, known structure",
        "uniprot-discovery",
    ),
    # Molecules and their properties
    ("solubility, logs, soluble", "mol-props-combined admet"),
    ("aqueous solubility", "admet mol-props-combined"),
    ("lipophilicity, logp, logd, tpsa, polar surface area, clogp, partition coefficient", "mol-props-combined"),
    ("molecular weight, hydrogen bond donor, hydrogen bond acceptor, rotatable bond", "mol-props-combined"),
    ("lipinski, rule of five, rule of 5, ro5, drug likeness, druglike, pains", "mol-props-combined"),
    ("synthetic accessibility, sa score, physicochemical, physchem, descriptor, csp3", "mol-props-combined"),
    ("pka, ionization, ionization state, protonation state, charge, charge state, tautomer", "mol-props-protonation"),
    ("basicity, acidity, basic, acidic", "mol-props-protonation"),
    ("microspecies, charge at ph, ph dependent, physiological ph, protonate ligand", "mol-props-protonation"),
    ("toxicity, toxic, tox, safety, mutagenicity, ames, hepatotoxicity, liver, dili", "admet"),
    ("herg, cardiotoxicity, qt prolongation", "admet secondary-pharma"),
    ("bbb, blood brain barrier, brain penetration, cns, permeability, caco2, absorption", "admet"),
    ("adme, pharmacokinetic, pk, dmpk, clearance, half life, bioavailability, plasma", "admet"),
    ("cyp inhibition, drug drug interaction, ddi, excretion", "admet"),
    ("metabolic stability, microsomal stability, cyp, cytochrome, p450", "metabolism admet"),
    ("site of metabolism, som, metabolite, soft spot, metabolic, biotransformation", "metabolism"),
    ("off target, selectivity, selective, safety panel, safety pharmacology", "secondary-pharma"),
    ("promiscuity, polypharmacology, side effect, adverse, target profiling, kinome", "secondary-pharma"),
    # Design and data
    ("analog, enumerate, analog enumeration, r group, generate analog, matched molecular pair, mmp", "enumerator"),
    ("scaffold hop, scaffold, reaction, virtual library, idea, design compound, generative", "enumerator"),
    ("ligand network, perturbation map, perturbation network, fep map, fep network, network", "konnektor rbfe"),
    ("edge, plan network, star map, minimum spanning tree, mst", "konnektor rbfe"),
    ("patent, intellectual property, ip, prior art, document, markush, image to structure", "draco"),
    ("import, upload, register, csv, sdf, load compound, dataset", "import-dataset"),
)
