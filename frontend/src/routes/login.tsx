import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { LoginForm } from "@/features/identity/components/login-form";
import { LoginLink } from "@/features/identity/components/login-link";
import { keys } from "@/lib/api/keys";
import type { Me } from "@/lib/api/types";
import { usePlace } from "@/lib/crumbs";

/** Only paths of this site: an address from outside must not be able to send a person elsewhere. */
function safe(next: string | undefined): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith("/login") ? next : "/";
}

export function LoginPage() {
  const { next, link } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  usePlace([{ label: link ? "One-time link" : "Log in" }]);
  const enter = async (me: Me) => {
    queryClient.clear();
    queryClient.setQueryData(keys.me, me);
    await navigate({ href: safe(next), replace: true });
  };
  return (
    <main className="flex min-h-full items-start justify-center bg-canvas px-4 pt-[16vh]">
      <div className="w-full max-w-[360px] border border-line bg-surface p-6">
        <p className="mb-4 flex items-center gap-2 text-13 font-semibold">
          <svg viewBox="0 0 16 16" className="size-[18px]" aria-hidden><path fill="currentColor" d="M1.500 1.500H3v13H1.500zM13 1.500h1.500v13H13zM4.200 2h7.600v5.200H4.200zM4.200 8.700h7.600v1.500H4.200zM4.200 11.700h7.600v1.500H4.200z" /></svg>
          Sluice
        </p>
        {link ? <LoginLink token={link} onEntered={enter} /> : <LoginForm onEntered={enter} />}
      </div>
    </main>
  );
}
