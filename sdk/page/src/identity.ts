// The id that this tab has. A tab that is loaded again keeps it, so that its link stays good; a copy of the tab gets another.

// Without those that are taken for each other.
const LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';
const STORED = 'peerway-identity';

export interface Identity {
  id: string;
  token: string;
}

export function myIdentity(): Identity {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  const kept = navigation?.type === 'reload' ? stored() : undefined;
  const identity = kept ?? { id: `${letters(4)}-${letters(4)}`, token: letters(24) };
  try {
    sessionStorage.setItem(STORED, JSON.stringify(identity));
  } catch {
    // Private windows may have no storage.
  }
  return identity;
}

function stored(): Identity | undefined {
  try {
    const { id, token } = JSON.parse(sessionStorage.getItem(STORED) ?? '{}') as Partial<Identity>;
    return id && token ? { id, token } : undefined;
  } catch {
    return undefined;
  }
}

function letters(count: number): string {
  return [...crypto.getRandomValues(new Uint8Array(count))].map((byte) => LETTERS[byte % LETTERS.length]).join('');
}
