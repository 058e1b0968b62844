import { useState } from "react";
import { explain } from "@/lib/api/http";
import { Button } from "./button";
import { TypedName } from "./typed-name";

/** The body of a dialog that takes something away: its name is typed, then the act may be done. */
export function TypedConfirm({ name, missing, verb, act, onClose }: {
  name: string;
  /** Says what is missing while the name is not typed. */
  missing: string;
  verb: string;
  act: { mutate: () => void; isPending: boolean; error: unknown };
  onClose: () => void;
}) {
  const [typed, setTyped] = useState("");
  const why = typed === name ? null : missing;
  return (
    <form className="flex flex-col gap-4 p-5 pt-3" onSubmit={(event) => { event.preventDefault(); if (!why) act.mutate(); }}>
      <label className="flex flex-col gap-1 text-11 text-ink-3">Type {name}<TypedName wide name={name} typed={typed} onTyped={setTyped} /></label>
      {act.error ? <p role="alert" className="text-12 text-destroy">{explain(act.error)}</p> : null}
      <div className="flex justify-end gap-2">
        <Button look="ghost" size={32} keys="Esc" onClick={onClose}>Keep it</Button>
        <Button type="submit" look="danger" size={32} blocked={why} disabled={act.isPending}>{verb}</Button>
      </div>
    </form>
  );
}
