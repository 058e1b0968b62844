/** The engine's action reasons, said the way a person would. Newer ones are shown as they are. */
const REASONS: Record<string, string> = {
  replace_because_tainted: "marked as damaged by an earlier apply",
  replace_because_cannot_update: "can't be changed in place",
  replace_by_request: "asked for by the request",
  replace_by_triggers: "forced by what triggers it",
  delete_because_no_resource_config: "no longer in the configuration",
  delete_because_no_module: "its module is no longer in the configuration",
  delete_because_no_move_target: "nothing to move it to",
  delete_because_wrong_repetition: "its count or for_each changed",
  delete_because_count_index: "beyond the count",
  delete_because_each_key: "its key is no longer in for_each",
  delete_because_enabled_false: "no longer enabled",
  read_because_config_unknown: "read at apply: its configuration is not known yet",
  read_because_dependency_pending: "read at apply: it depends on a change",
  read_because_check_nested: "read for a check",
};

export function reasonWords(reason: string | null | undefined): string | null {
  if (!reason) return null;
  return REASONS[reason] ?? reason.replaceAll("_", " ");
}
