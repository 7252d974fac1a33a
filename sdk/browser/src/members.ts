// Reading what others sent: it may be anything.

// Of what is no object there are none.
export function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function text(value: unknown, name: string): string | undefined {
  const member = membersOf(value)[name];
  return typeof member === 'string' ? member : undefined;
}
