import { HighlightStyle } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** Code is told apart by weight and by grey: colour means change or status, never syntax. */
export const highlight = HighlightStyle.define([
  { tag: tags.keyword, fontWeight: "600" },
  { tag: tags.definition(tags.variableName), fontWeight: "600" },
  { tag: tags.propertyName, fontWeight: "500" },
  { tag: tags.comment, color: "var(--ink-3)", fontStyle: "italic" },
  { tag: [tags.string, tags.number, tags.atom], color: "var(--ink-2)" },
]);

export const theme = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "12px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "20px", fontVariantLigatures: "none" },
  ".cm-scroller:focus-visible, .cm-content:focus-visible": { outline: "2px solid var(--focus)", outlineOffset: "-2px" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 16px 0 6px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--ink-3)", border: "none", fontSize: "11px" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 8px 0 12px", minWidth: "36px" },
  ".cm-foldGutter .cm-gutterElement": { padding: "0 2px", cursor: "pointer" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine, &.cm-focused .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "1.5px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--change-bg) !important" },
  ".cm-matchingBracket": { outline: "1px solid var(--ctl)", backgroundColor: "transparent !important" },
  ".cm-foldPlaceholder": { background: "var(--sunken)", border: "1px solid var(--line)", color: "var(--ink-3)", padding: "0 4px", margin: "0 3px" },
  ".cm-wrong": { backgroundColor: "var(--destroy-bg)", boxShadow: "inset 2px 0 0 var(--mark-destroy)" },
  ".cm-wrong-note": { color: "var(--destroy)", fontFamily: "var(--font-sans)", fontSize: "12px", lineHeight: "18px", padding: "1px 16px 3px 6px", backgroundColor: "var(--destroy-bg)", boxShadow: "inset 2px 0 0 var(--mark-destroy)", whiteSpace: "pre-wrap" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-panel.cm-search": { fontFamily: "var(--font-sans)", fontSize: "12px", padding: "6px 10px" },
  ".cm-panel.cm-search label": { fontSize: "12px" },
  ".cm-textfield": { border: "1px solid var(--ctl)", borderRadius: "5px", backgroundColor: "var(--surface)", color: "var(--ink)", padding: "3px 8px" },
  ".cm-button": { border: "1px solid var(--line-2)", borderRadius: "5px", background: "var(--surface)", color: "var(--ink)", padding: "3px 8px" },
  ".cm-searchMatch": { backgroundColor: "var(--wait-bg)", outline: "1px solid var(--mark-wait)" },
  ".cm-searchMatch-selected": { backgroundColor: "var(--word-add)" },
});
