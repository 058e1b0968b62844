import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { explain } from "@/lib/api/http";
import type { Me } from "@/lib/api/types";
import { enterByLink } from "@/features/identity/api/login";

/** Where a one-time link lands: it is used at once, and exactly once. */
export function LoginLink({ token, onEntered }: { token: string; onEntered: (me: Me) => void | Promise<void> }) {
  const enter = useMutation({ mutationFn: () => enterByLink(token), onSuccess: onEntered });
  const used = useRef(false);
  const { mutate } = enter;
  useEffect(() => {
    // Effects run twice under StrictMode, and the link is good for one use.
    if (used.current) return;
    used.current = true;
    mutate();
  }, [mutate]);
  return (
    <div className="flex flex-col gap-3">
      <h1 className="text-16 font-semibold">One-time link</h1>
      {enter.error ? (
        <>
          <p role="alert" className="text-destroy">{explain(enter.error)}</p>
          <p className="text-12 text-ink-2">
            A link works once, and for a short time. Start <code>sluice up</code> again for a new one, or <Link to="/login" search={{}} className="link">log in with a password</Link>.
          </p>
        </>
      ) : (
        <p role="status" className="text-ink-2">Logging in with this link.</p>
      )}
    </div>
  );
}
