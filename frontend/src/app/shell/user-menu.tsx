import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Avatar } from "@/components/ui/bits";
import { Menu, MenuCheck, MenuChoice, MenuItem, MenuLabel, MenuLine } from "@/components/ui/menu";
import { http } from "@/lib/api/http";
import { useMe } from "@/lib/api/session";
import { setSingleKeys, useSingleKeys } from "@/lib/keys";
import { setTheme, type ThemeChoice, useTheme } from "@/lib/theme";

const THEMES: readonly { value: ThemeChoice; label: string }[] = [
  { value: "system", label: "As the system" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
];

export function UserMenu({ onHelp }: { onHelp: () => void }) {
  const me = useMe();
  const theme = useTheme();
  const single = useSingleKeys();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const logOut = async () => {
    await http.post("/auth/logout");
    queryClient.clear();
    await navigate({ to: "/login", search: {} });
  };
  return (
    <Menu
      label="You"
      trigger={
        <button type="button" className="flex shrink-0 rounded-full max-sm:hidden">
          <Avatar name={me.name} size={24} />
          <span className="sr-only">You: {me.name}</span>
        </button>
      }
    >
      <div className="px-2 py-1.5">
        <p className="text-13 font-medium">{me.name}</p>
        <p className="text-12 text-ink-3">{[me.email, me.roles.join(", ")].filter(Boolean).join(" · ")}</p>
      </div>
      <MenuLine />
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice value={theme} onChange={setTheme} options={THEMES} />
      <MenuLine />
      <MenuCheck checked={single} onChange={setSingleKeys}>Single-key shortcuts</MenuCheck>
      <MenuItem onSelect={onHelp}><span className="w-3.5" />All shortcuts</MenuItem>
      <MenuLine />
      <MenuItem onSelect={() => void logOut()}><span className="w-3.5" />Log out</MenuItem>
    </Menu>
  );
}
