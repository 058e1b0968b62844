import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { extensions, type Language, type Mark, setMarks } from "./setup";

export interface CodeProps {
  value: string;
  language: Language;
  /** What the text is called, for those who don't see it. */
  label: string;
  onChange?: ((text: string) => void) | undefined;
  marks?: readonly Mark[] | undefined;
  /** A line to bring in sight; a new object goes there again. */
  goto?: { line: number } | null | undefined;
}

const NONE: readonly Mark[] = [];

/** CodeMirror in React's hands. Give it a `key` for each file: an editor holds the history of one text. */
export default function CodeMirror({ value, language, label, onChange, marks = NONE, goto }: CodeProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const changed = useRef(onChange);
  const first = useRef(value);
  const writable = onChange !== undefined;
  useEffect(() => {
    changed.current = onChange;
  });
  useEffect(() => {
    if (!place.current) return;
    const made = new EditorView({
      parent: place.current,
      state: EditorState.create({ doc: first.current, extensions: extensions(language, label, !writable, (text) => changed.current?.(text)) }),
    });
    view.current = made;
    return () => {
      first.current = made.state.doc.toString();
      made.destroy();
      view.current = null;
    };
  }, [language, label, writable]);
  useEffect(() => {
    const made = view.current;
    if (!made || made.state.doc.toString() === value) return;
    made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: value } });
  }, [value]);
  useEffect(() => {
    view.current?.dispatch({ effects: setMarks.of(marks) });
  }, [marks, language, label, writable]);
  useEffect(() => {
    const made = view.current;
    if (!made || !goto) return;
    const line = made.state.doc.line(Math.min(Math.max(goto.line, 1), made.state.doc.lines));
    made.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
    made.focus();
  }, [goto]);
  return <div ref={place} className="h-full min-h-0 overflow-hidden" />;
}
