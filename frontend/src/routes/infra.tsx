export function InfraPage() { return <main />; }
