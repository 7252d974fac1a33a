// The one thing that is done to an SDP as text: how much we want to hear at most (RFC 8866, 5.8).

export type Kind = 'audio' | 'video';

// `limits` in kbit/s.
export function limitBandwidth(sdp: string, limits: { [K in Kind]?: number | undefined }): string {
  return sdp
    .split(/(?=^m=)/m)
    .map((section) => {
      const kbits = limits[section.slice(2, section.indexOf(' ')) as Kind];
      if (!section.startsWith('m=') || kbits === undefined) return section;
      const plain = section.replace(/^b=(?:AS|TIAS):.*\r?\n/gm, '');
      const lines = `b=AS:${kbits}\r\nb=TIAS:${kbits * 1000}\r\n`;
      // After the connection line, before the attributes.
      return plain.replace(/^(m=.*\r?\n(?:i=.*\r?\n)?(?:c=.*\r?\n)*)/, `$1${lines}`);
    })
    .join('');
}
