interface AddressParts {
  /** `module.ledger.module.db`, or empty for the root module. */
  module: string;
  type: string;
  /** The name with its index: `replica["eu-west-1b"]`. */
  name: string;
}

/** Splits at the dots that are not inside an index. */
function segments(address: string): string[] {
  const out: string[] = [];
  let start = 0;
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < address.length; i += 1) {
    const c = address[i];
    if (quoted) {
      if (c === "\\") i += 1;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === "[") depth += 1;
    else if (c === "]") depth -= 1;
    else if (c === "." && depth === 0) {
      out.push(address.slice(start, i));
      start = i + 1;
    }
  }
  out.push(address.slice(start));
  return out;
}

/** Takes a resource address apart. `data` sources keep that word with their type. */
export function splitAddress(address: string): AddressParts {
  const parts = segments(address);
  let at = 0;
  while (parts[at] === "module" && at + 1 < parts.length) at += 2;
  const rest = parts.slice(at);
  const name = rest.at(-1) ?? "";
  return { module: parts.slice(0, at).join("."), type: rest.slice(0, -1).join("."), name };
}
