export function StacksPage() { return <main />; }
