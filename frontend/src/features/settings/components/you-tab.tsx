import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Fact, SectionHead } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { setPassword } from "@/features/settings/api/settings";
import { ApiError, explain } from "@/lib/api/http";
import { useMe } from "@/lib/api/session";

/** Who you are here, and your password. */
export function YouTab() {
  const me = useMe();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation({
    mutationFn: () => setPassword({ new_password: next, ...(current ? { current_password: current } : {}) }),
    onSuccess: () => {
      setCurrent("");
      setNext("");
    },
  });
  const error = change.error instanceof ApiError ? change.error : null;
  return (
    <div className="max-w-xl px-5 py-4">
      <SectionHead title="You" />
      <dl className="mt-1">
        <Fact label="Name">{me.name}</Fact>
        <Fact label="Email">{me.email}</Fact>
        <Fact label="Roles">{me.roles.join(", ")}</Fact>
        <Fact label="Teams">{me.teams.map((team) => team.name).join(", ") || "none"}</Fact>
      </dl>
      <form className="mt-6 flex flex-col gap-3" onSubmit={(event) => { event.preventDefault(); if (next) change.mutate(); }}>
        <SectionHead title="Password" />
        <Field label="Present password" hint="Empty when you have none yet" error={error?.field("current_password")}>
          {(ids) => <Input {...ids} type="password" autoComplete="current-password" value={current} onChange={(event) => setCurrent(event.target.value)} />}
        </Field>
        <Field label="New password" error={error?.field("new_password") ?? (change.error ? explain(change.error) : null)}>
          {(ids) => <Input {...ids} type="password" autoComplete="new-password" value={next} onChange={(event) => setNext(event.target.value)} />}
        </Field>
        <div className="flex items-center gap-3">
          <Button type="submit" look="primary" size={32} blocked={next ? null : "Type the new password"} disabled={change.isPending}>Set the password</Button>
          <span role="status" className="text-12 text-ink-2">{change.isSuccess ? "Set." : null}</span>
        </div>
      </form>
    </div>
  );
}
