export interface Page {
  url: URL
  status: number
  text: string
}

export class Browser {
  open(address: string | URL, options?: { stop?: string }): Promise<Page>
  submit(page: Page, value?: string, options?: { stop?: string }): Promise<Page>
}
