import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/bits";
import { ApiError, explain } from "@/lib/api/http";

export function PagePending() {
  return (
    <div className="grow">
      <Skeleton rows={12} />
    </div>
  );
}

function Missing({ title, children }: { title: string; children?: string }) {
  return (
    <main className="grow px-5 py-12">
      <h1 className="text-16 font-semibold">{title}</h1>
      <p className="mt-1 text-ink-2">
        {children ? `${children} ` : null}The address may be mistyped, or what it named is in another organization. <Link to="/" className="link">Go to the inbox</Link>.
      </p>
    </main>
  );
}

export function NotFound() {
  return <Missing title="There is no such page" />;
}

export function LoadFailed({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  if (error instanceof ApiError && error.status === 404) return <Missing title="Not found">{explain(error)}</Missing>;
  return (
    <main className="grow px-5 py-12" role="alert">
      <h1 className="text-16 font-semibold">This page could not be loaded</h1>
      <p className="mt-1 max-w-prose text-ink-2">{explain(error)}</p>
      <Button className="mt-4" onClick={() => { reset(); void router.invalidate(); }}>Load again</Button>
    </main>
  );
}
