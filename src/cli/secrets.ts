// What must not be shown to anybody: passwords in addresses and keys of payment providers, wherever a message may have got them from.

const HIDDEN = '•••'
/** The part of an address between `//` and the last `@` of its authority. */
const IN_ADDRESS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"']*@/gi
const IN_QUERY = /([?&;](?:password|passwd|pwd|secret|token|auth|sslpassword)=)[^&#\s"']+/gi
/** Secrets of webhooks go on after their prefix in base64. */
const KEY = /\b(?:(?:sk|rk|pk)_[A-Za-z0-9_]{4,}|whsec_[A-Za-z0-9_+/-]{4,}={0,2})/g
const SECRET_NAME = /KEY|SECRET|TOKEN|PASS|PWD|CREDENTIAL/i
/** Shorter ones would hide half of every message. */
const LEAST_LENGTH = 4

/** Takes secrets out of texts: those that it was told, and what looks like one. */
export class Secrets {
  readonly #known = new Set<string>()

  /** Remembers the value of an environment variable, where its name says that it is secret. */
  variable(name: string, value: string): void {
    if (SECRET_NAME.test(name)) this.add(value)
    this.address(value)
  }

  /** Remembers the password of an address, as it stands there and as it is meant. */
  address(text: string): void {
    const [, password] = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]*?:([^\s/?#]*)@/i.exec(text) ?? []
    if (password === undefined) return
    this.add(password)
    try {
      this.add(decodeURIComponent(password))
    } catch {
      // Not encoded: it is known as it stands.
    }
  }

  /** Remembers a secret. */
  add(secret: string): void {
    if (secret.length >= LEAST_LENGTH) this.#known.add(secret)
  }

  /** The text without secrets. */
  hide(text: string): string {
    let hidden = text
    for (const secret of [...this.#known].sort((a, b) => b.length - a.length)) hidden = hidden.replaceAll(secret, HIDDEN)
    return hidden.replace(IN_ADDRESS, `$1${HIDDEN}@`).replace(IN_QUERY, `$1${HIDDEN}`).replace(KEY, HIDDEN)
  }
}
