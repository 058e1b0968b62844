import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Empty, Skeleton } from "@/components/ui/bits";
import { Button } from "@/components/ui/button";
import { Checkbox, Input } from "@/components/ui/field";
import { createTeam, membersQuery, setTeamMember, teamsQuery } from "@/features/settings/api/settings";
import { explain } from "@/lib/api/http";
import { keys } from "@/lib/api/keys";
import { useMay } from "@/lib/api/session";
import { plural } from "@/lib/format";

/** Who approves together. */
export function TeamsTab() {
  const why = useMay()("members:manage");
  const teams = useQuery(teamsQuery);
  const members = useQuery(membersQuery).data?.items ?? [];
  const queryClient = useQueryClient();
  const [name, setName] = useState("");
  const renew = () => Promise.all([queryClient.invalidateQueries({ queryKey: keys.teams }), queryClient.invalidateQueries({ queryKey: keys.members })]);
  const add = useMutation({ mutationFn: () => createTeam(name.trim()), onSuccess: async () => { setName(""); await renew(); } });
  const put = useMutation({ mutationFn: ({ team, user, member }: { team: string; user: string; member: boolean }) => setTeamMember(team, user, member), onSuccess: renew });
  const failure = add.error ?? put.error ?? teams.error;
  return (
    <>
      <form className="flex items-center gap-2 border-b border-line px-5 py-1.5" onSubmit={(event) => { event.preventDefault(); if (name.trim() && !why) add.mutate(); }}>
        <p className="mr-auto text-12 text-ink-2" role="status">{failure ? <span className="text-destroy">{explain(failure)}</span> : "A workspace's rule may ask for approvals of certain teams."}</p>
        <div className="w-52"><Input aria-label="Name of the new team" placeholder="New team" className="!h-7" disabled={Boolean(why)} value={name} onChange={(event) => setName(event.target.value)} /></div>
        <Button type="submit" blocked={why ?? (name.trim() ? null : "Give it a name")}>Add</Button>
      </form>
      {teams.data ? null : <Skeleton rows={3} />}
      {teams.data?.items.length === 0 ? <Empty title="No team yet.">Everyone with the right to approve may approve.</Empty> : null}
      {teams.data?.items.map((team) => (
        <section key={team.id} aria-label={team.name} className="border-b border-line px-5 py-3">
          <h2 className="text-13 font-semibold">{team.name} <span className="ml-1 font-normal text-ink-3">{plural(team.members.length, "person", "people")}</span></h2>
          <div className="mt-2 flex flex-wrap gap-x-6 gap-y-2">
            {members.map((member) => (
              <Checkbox key={member.id} label={member.name} disabled={Boolean(why)} checked={team.members.some((each) => each.id === member.id)} onChange={(event) => put.mutate({ team: team.id, user: member.id, member: event.target.checked })} />
            ))}
          </div>
        </section>
      ))}
    </>
  );
}
