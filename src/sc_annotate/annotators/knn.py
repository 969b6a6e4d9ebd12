from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._inputs import check_fit, check_predict, row_blocks
from sc_annotate.annotators._pca import fit_pca, project
from sc_annotate.annotators._linear import normalise
@dataclass
class KNN(Annotator):
    n_neighbors: int = 15
    n_components: int = 50
    power: float=1.0
    weights: str='distance'
    pseudo: float=1.0
    balance: float=0.0
    metric: str='euclid'
    def fit(self, X, y, *, genes, batch=None, rng=0):
        matrix, codes, classes = check_fit(X, y, genes, batch)
        self.classes_=classes
        self.l,self.s=fit_pca(matrix,self.n_components,rng,power=self.power)
        Z=project(matrix,self.l,self.s)
        self.L=self.n(Z); self.codes=codes
        return self
    def n(self,Z):
        return Z/np.maximum(np.linalg.norm(Z,axis=1,keepdims=True),1e-12) if self.metric=='cosine' else Z
    def predict_proba(self, X):
        matrix=check_predict(X,len(self.l)); Z=self.n(project(matrix,self.l,self.s))
        k=min(self.n_neighbors,len(self.L)); n=np.bincount(self.codes); prior=n/n.sum()
        out=np.empty((len(Z),len(self.classes_)))
        for b in row_blocks(len(Z),1024):
            z=Z[b]
            d=np.maximum((z**2).sum(1)[:,None]+(self.L**2).sum(1)-2*z@self.L.T,0)
            near=np.argpartition(d,k-1,axis=1)[:,:k]
            dd=np.take_along_axis(d,near,1)
            if self.weights=='distance': w=np.exp(-dd/np.maximum(dd.mean(1,keepdims=True),1e-12)); w*=k/w.sum(1,keepdims=True)
            else: w=np.ones_like(dd)
            w=w*n[self.codes[near]]**-self.balance
            w*=k/w.sum(1,keepdims=True)
            v=np.zeros((len(z),len(prior)))
            for j in range(k): np.add.at(v,(np.arange(len(z)),self.codes[near[:,j]]),w[:,j])
            out[b]=v+self.pseudo*prior
        return normalise(out)
