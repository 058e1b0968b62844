import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { explain } from "@/lib/api/http";
import type { Me } from "@/lib/api/types";
import { enterByLink } from "@/features/identity/api/login";

/** One request a token, however often the page is mounted: the link is good for one use. */
const asked = new Map<string, Promise<Me>>();

function enterOnce(token: string): Promise<Me> {
  const promise = asked.get(token) ?? enterByLink(token);
  asked.set(token, promise);
  return promise;
}

/** Where a one-time link lands: it is used at once, and exactly once. */
export function LoginLink({ token, onEntered }: { token: string; onEntered: (me: Me) => void | Promise<void> }) {
  const [failure, setFailure] = useState<unknown>(null);
  const entered = useRef(onEntered);
  useEffect(() => {
    entered.current = onEntered;
  });
  useEffect(() => {
    let here = true;
    enterOnce(token).then(
      (me) => (here ? entered.current(me) : undefined),
      (error: unknown) => {
        if (here) setFailure(error);
      },
    );
    return () => {
      here = false;
    };
  }, [token]);
  return (
    <div className="flex flex-col gap-3">
      <h1 className="text-16 font-semibold">One-time link</h1>
      {failure ? (
        <>
          <p role="alert" className="text-destroy">{explain(failure)}</p>
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
