import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, codeFolding, foldGutter, foldKeymap, foldService, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { type Extension, EditorState, type Range, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers, WidgetType } from "@codemirror/view";
import { jsonParser, regoParser } from "./rego";
import { highlight, theme } from "./theme";

export type Language = "rego" | "json";

/** What is wrong with a line, counted from 1. */
export interface Mark {
  line: number;
  message: string;
}

class Note extends WidgetType {
  constructor(readonly message: string) {
    super();
  }

  override eq(other: Note): boolean {
    return other.message === this.message;
  }

  toDOM(): HTMLElement {
    const node = document.createElement("div");
    node.className = "cm-wrong-note";
    node.textContent = this.message;
    return node;
  }
}

export const setMarks = StateEffect.define<readonly Mark[]>();

function decorate(state: EditorState, marks: readonly Mark[]): DecorationSet {
  const ranges: Range<Decoration>[] = [];
  const byLine = new Map<number, string[]>();
  for (const mark of marks) {
    const at = Math.min(Math.max(mark.line, 1), state.doc.lines);
    byLine.set(at, [...(byLine.get(at) ?? []), mark.message]);
  }
  for (const [n, messages] of byLine) {
    const line = state.doc.line(n);
    ranges.push(Decoration.line({ class: "cm-wrong" }).range(line.from));
    ranges.push(Decoration.widget({ widget: new Note([...new Set(messages)].join("\n")), block: true, side: 1 }).range(line.to));
  }
  return Decoration.set(ranges, true);
}

/** The wrong lines with their notes beneath; they move with the text until the next answer. */
const marksField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects) if (effect.is(setMarks)) return decorate(transaction.state, effect.value);
    return marks.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** A line folds over the deeper lines beneath it; enough for both languages, without a syntax tree. */
const foldByIndent = foldService.of((state, from) => {
  const line = state.doc.lineAt(from);
  const depth = (text: string) => (text.trim() ? text.length - text.trimStart().length : null);
  const own = depth(line.text);
  if (own === null) return null;
  let end = line.number;
  for (let n = line.number + 1; n <= state.doc.lines; n += 1) {
    const other = depth(state.doc.line(n).text);
    if (other === null) continue;
    if (other <= own) break;
    end = n;
  }
  return end > line.number ? { from: line.to, to: state.doc.line(end).to } : null;
});

/** Everything but the text: language, keys, marks, looks. */
export function extensions(language: Language, label: string, readOnly: boolean, onChange: (text: string) => void): Extension {
  return [
    lineNumbers(),
    codeFolding(),
    foldByIndent,
    foldGutter({ openText: "▾", closedText: "▸" }),
    drawSelection(),
    bracketMatching(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    language === "rego" ? StreamLanguage.define(regoParser) : StreamLanguage.define(jsonParser),
    syntaxHighlighting(highlight),
    indentUnit.of(language === "rego" ? "\t" : "  "),
    EditorState.tabSize.of(2),
    theme,
    marksField,
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", ...(readOnly ? { "aria-readonly": "true" } : {}) }),
    ...(readOnly
      ? [EditorState.readOnly.of(true)]
      : [history(), indentOnInput(), EditorView.updateListener.of((update) => { if (update.docChanged) onChange(update.state.doc.toString()); })]),
    // Tab leaves the editor after Escape, as CodeMirror does by itself, so that the keyboard is never caught.
    keymap.of([...searchKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, ...(readOnly ? [] : [indentWithTab])]),
  ];
}
