package sluice.blast_radius

config := {
	"max_deletes": 5,
	"max_replaces": 5,
}
