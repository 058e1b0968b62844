export function StackPage() { return <main />; }
