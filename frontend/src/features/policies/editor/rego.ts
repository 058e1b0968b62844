import type { StreamParser, StringStream } from "@codemirror/language";

/** What a Rego file's reader must see at once: its words, its names, its text and its comments. */
interface State {
  /** Inside a string that a backtick opened: it may go over lines. */
  raw: boolean;
}

const KEYWORDS = new Set(["as", "contains", "default", "else", "every", "if", "import", "in", "not", "package", "some", "with"]);
const ATOMS = new Set(["true", "false", "null"]);
const ROOTS = new Set(["input", "data"]);

function rest(stream: StringStream, state: State): string {
  while (!stream.eol()) {
    if (stream.next() === "`") {
      state.raw = false;
      break;
    }
  }
  return "string";
}

function text(stream: StringStream): string {
  let escaped = false;
  for (let char = stream.next(); char; char = stream.next()) {
    if (char === '"' && !escaped) break;
    escaped = char === "\\" && !escaped;
  }
  return "string";
}

/** Rego, v0 and v1, as far as colour needs it; what it means is the API's to say. */
export const regoParser: StreamParser<State> = {
  name: "rego",
  startState: () => ({ raw: false }),
  copyState: (state) => ({ ...state }),
  token(stream, state) {
    if (state.raw) return rest(stream, state);
    const first = stream.sol();
    if (stream.eatSpace()) return null;
    const char = stream.peek() ?? "";
    if (char === "#") {
      stream.skipToEnd();
      return "comment";
    }
    if (char === "`") {
      stream.next();
      state.raw = true;
      return rest(stream, state);
    }
    if (char === '"') {
      stream.next();
      return text(stream);
    }
    if (stream.match(/^-?\d[\w.]*/)) return "number";
    const word = stream.match(/^[A-Za-z_]\w*/);
    if (word && word !== true) {
      const name = word[0];
      if (KEYWORDS.has(name)) return "keyword";
      if (ATOMS.has(name)) return "atom";
      if (ROOTS.has(name)) return "variableName.special";
      // What stands at the beginning of a line is the head of a rule.
      return first ? "variableName.definition" : "variableName";
    }
    stream.next();
    return null;
  },
  languageData: { commentTokens: { line: "#" }, closeBrackets: { brackets: ["(", "[", "{", '"', "`"] } },
};

/** JSON: only what is needed to read a document. */
export const jsonParser: StreamParser<Record<string, never>> = {
  name: "json",
  startState: () => ({}),
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.peek() === '"') {
      stream.next();
      text(stream);
      return /^\s*:/.test(stream.string.slice(stream.pos)) ? "propertyName" : "string";
    }
    if (stream.match(/^-?\d[\d.eE+-]*/)) return "number";
    if (stream.match(/^(true|false|null)\b/)) return "atom";
    stream.next();
    return null;
  },
};
