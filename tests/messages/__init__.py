"""What people and models read when something goes wrong: each message is asserted here, once (design 10).

One file of messages a room, `<room>.txt`; `UPDATE_MESSAGES=1` writes them anew. Tests elsewhere assert codes, fields,
outcomes and what the platform saw, so that changing a word is a change of one file here.
"""
