package sluice.no_local_exec

config := {
	"forbidden_provisioners": {"local-exec"},
	"forbidden_data_sources": {"external"},
}
