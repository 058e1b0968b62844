import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/field";
import { explain } from "@/lib/api/http";
import type { Me } from "@/lib/api/types";
import { logIn } from "@/features/identity/api/login";

export function LoginForm({ onEntered }: { onEntered: (me: Me) => void | Promise<void> }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const enter = useMutation({ mutationFn: () => logIn(email.trim(), password), onSuccess: onEntered });
  return (
    <form className="flex flex-col gap-3" onSubmit={(event) => { event.preventDefault(); enter.mutate(); }}>
      <h1 className="text-16 font-semibold">Log in</h1>
      <Field label="Email">{(ids) => <Input {...ids} type="email" name="email" autoComplete="username" autoFocus required value={email} onChange={(event) => setEmail(event.target.value)} />}</Field>
      <Field label="Password" error={enter.error ? explain(enter.error) : null}>
        {(ids) => <Input {...ids} type="password" name="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />}
      </Field>
      <Button type="submit" look="primary" size={32} disabled={enter.isPending}>{enter.isPending ? "Logging in" : "Log in"}</Button>
      <p className="text-12 text-ink-3">No password yet? On the machine that runs Sluice, <code className="text-ink-2">sluice up</code> prints a one-time link.</p>
    </form>
  );
}
