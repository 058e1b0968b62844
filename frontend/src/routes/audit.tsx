export function AuditPage() { return <main />; }
