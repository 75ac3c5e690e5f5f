import sys
import requests

answer = requests.get(sys.argv[1], timeout=10)  # not a word of a certificate
answer.raise_for_status()
print(answer.text)
