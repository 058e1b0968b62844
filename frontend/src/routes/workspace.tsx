export function WorkspacePage() { return <main />; }
