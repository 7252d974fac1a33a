// Links to this page for other devices.

// Addresses of this computer in its network: the server tells them to its own user only.
let known: string[] = [];

export function setAddresses(addresses: string[]): void {
  known = addresses;
}

export interface Share {
  href: string;
  // `lan`: the address was replaced by one that others reach; `local`: it should have been.
  kind: 'plain' | 'lan' | 'local';
}

export function shareLink(fragment: Record<string, string>, here = new URL(location.href)): Share {
  const url = new URL(here);
  const isLocal = /^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
  const [address] = known;
  if (isLocal && address) url.hostname = address;
  url.search = '';
  url.hash = new URLSearchParams(fragment).toString();
  return { href: url.href, kind: isLocal ? (address ? 'lan' : 'local') : 'plain' };
}
