/** `blast_radius` of `policies/blast_radius`; of an upload its digest's beginning; of git the repository and its path. */
export function setName(uri: string): string {
  if (uri.startsWith("upload:")) return `upload ${uri.slice(-64, -56)}`;
  if (uri.startsWith("git")) {
    const [address = "", query = ""] = uri.replace(/^git(\+\w+)?:\/\/|^git::/, "").split("?");
    const ref = new URLSearchParams(query).get("ref");
    return `${address.replace(/\.git\/\//, "//")}${ref ? ` at ${ref}` : ""}`;
  }
  return uri.replace(/^policies\//, "").replace(/\/$/, "");
}
