from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from scipy.sparse import issparse, csr_array
from sc_annotate.annotators._inputs import check_fit
from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.annotators._moments import class_sums,class_means
@dataclass
class NaiveBayes(LinearAnnotator):
    alpha: float = 1.0
    kind: str='multi'
    t: float=1.
    prior: bool=True
    def fit(self, X, y, *, genes, batch=None, rng=0):
        matrix, codes, classes = check_fit(X, y, genes, batch)
        if self.kind=='bern':
            matrix=(matrix>0).astype(np.float32)
        s=class_sums(matrix,codes,len(classes)); n=np.bincount(codes)
        pr=np.log(n/n.sum()) if self.prior else np.zeros(len(n))
        if self.kind=='multi':
            s=s+self.alpha; w=np.log(s/s.sum(1,keepdims=True)); b=pr
        elif self.kind=='multimean':
            s=s/n[:,None]+self.alpha*s.sum(0)/n.sum()+1e-12; w=np.log(s/s.sum(1,keepdims=True)); b=pr
        elif self.kind=='comp':
            c=s.sum(0)-s+self.alpha; w=-np.log(c/c.sum(1,keepdims=True)); b=pr*0
        elif self.kind=='wcnb':
            c=s.sum(0)-s+self.alpha; w=-np.log(c/c.sum(1,keepdims=True)); w/=np.abs(w).sum(1,keepdims=True);w*=matrix.shape[1]; b=pr*0
        elif self.kind=='bern':
            q=(s+self.alpha)/(n[:,None]+2*self.alpha); w=np.log(q/(1-q)); b=np.log1p(-q).sum(1)+pr
        return self._set(classes, w*self.t, b*self.t)
